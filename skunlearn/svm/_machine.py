"""The optimum of a support vector machine, followed exactly while rows leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import blas

from skunlearn._linalg.inverse import Factor
from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import overwrite

# What optimality conditions may be violated by, beyond rounding: decision values relative to the
# size of the targets, coefficients relative to the largest of them. The bounds of coefficients give
# no measure, since they may be of any size, infinity included.
RESIDUAL = 1e-10

# By more, relative to the targets, rounding hides whether a solution is better than libsvm's, which
# stops at that residual by default.
_BLURRED = 1e-3

# Below this share of its diagonal a new row of the bordered system counts as dependent on the
# others; below this distance, relative, a row is both on the margin and at a bound.
_DEPENDENT = 1e-11
_TIED = 1e-10

# Roundings that a decision value has, in units of its largest terms.
_ROUNDINGS = 8.0

_SPARE = 64
_REFACTOR_AFTER = 50
_REFRESH_AFTER = 1000


class Degenerate(ArithmeticError):
    """The optimum, or a point on the way to it, is not unique."""


class Machine:
    """Coefficients ``t`` of a kernel machine: minimise ``t'Kt/2 + sum_i c_i(t_i)``, ``sum t = 0``.

    Each ``c_i`` is convex and linear between its nodes. With ``f = Kt + b``, a row either has a
    coefficient between two nodes and ``f_i`` equal to the target of that piece (it is on the
    margin), or its coefficient is a node and ``f_i`` lies between the targets of the pieces at
    either side. A classifier's rows have one piece, from 0 to C for the one class and from -C to 0
    for the other, with targets 1 and -1; a regressor's have two, from -C to 0 with target
    ``y + epsilon`` and from 0 to C with target ``y - epsilon``.

    Parameters
    ----------
    kernel_rows : callable
        Maps an array of row numbers to rows of the kernel matrix, shape (k, n).

    nodes : ndarray of shape (n, n_nodes)
        Increasing.

    targets : ndarray of shape (n, n_nodes - 1)
        Decreasing.

    theta : ndarray of shape (n,)
        Coefficients near the optimum; those within rounding of a node are taken to be there.

    Attributes
    ----------
    scale : float
        Size of the targets.

    rounding : ndarray of shape (n,)
        What decision values may be off by, for which conditions have to allow.

    References
    ----------
    .. [1] Cauwenberghs, Poggio: Incremental and decremental support vector machine learning,
       NeurIPS 2000, equations 3 to 13.
    .. [2] Diehl, Cauwenberghs: SVM incremental learning, adaptation and optimization, IJCNN 2003,
       for many rows at once.
    """

    def __init__(
        self,
        kernel_rows: Callable[[np.ndarray], np.ndarray],
        nodes: np.ndarray,
        targets: np.ndarray,
        theta: np.ndarray,
    ) -> None:
        n = len(theta)
        self._kernel_rows = kernel_rows
        self._nodes = nodes
        self._widths = np.diff(nodes, axis=1).max(axis=1)
        self._targets = np.column_stack([np.full(n, np.inf), targets, np.full(n, -np.inf)])
        self.scale = 1.0 + float(np.abs(targets).max(initial=0.0))
        gaps = np.abs(theta[:, None] - nodes)
        nearest = gaps.argmin(axis=1)
        node = nodes[np.arange(n), nearest]
        size = np.where(node != 0.0, np.abs(node), np.abs(theta).max(initial=0.0))
        at_node = (gaps.min(axis=1) <= 1e-12 * size) | (theta == node)
        self.theta = np.where(at_node, node, theta)
        self._state = np.where(at_node, 2 * nearest, 2 * (theta[:, None] > nodes).sum(axis=1) - 1)
        self._low, self._high = np.empty(n), np.empty(n)
        self._set_limits(np.flatnonzero(at_node))
        self._margin = np.flatnonzero(~at_node)
        self._low[self._margin], self._high[self._margin] = -np.inf, np.inf
        self.intercept = 0.0
        try:
            self._refactor()
        except Degenerate:
            self._refresh()
            self._admit_one_by_one()
        else:
            self._refresh()

    # ---- state of rows

    def _set_limits(self, rows: Any) -> None:
        node = self._state[rows] // 2
        self._high[rows] = self._targets[rows, node]
        self._low[rows] = self._targets[rows, node + 1]

    @property
    def margin(self) -> np.ndarray:
        """The rows on the margin."""
        return self._margin

    def _margin_targets(self) -> np.ndarray:
        return self._targets[self._margin, (self._state[self._margin] + 1) // 2]

    # ---- the bordered inverse

    def _refactor(self) -> None:
        """Invert the bordered kernel matrix of the rows on the margin from scratch."""
        size = self._margin.size
        n = self.theta.size
        capacity = size + _SPARE
        self._columns, inverse = np.zeros((capacity, n)), np.zeros((capacity + 1, capacity + 1))
        self._peak = 0.0
        if size:
            self._columns[:size] = self._kernel_rows(self._margin)
            self._peak = float(np.abs(self._columns[:size]).max())
            gram = self._columns[:size, self._margin]
            inverse[: size + 1, : size + 1] = _bordered_inverse(gram)
        self._inverse, self.n_changes = inverse, 0

    def _refresh(self) -> None:
        """Compute decision values from scratch, so that rounding does not add up."""
        margin = self._margin
        value, size = _sums(self.theta[margin], self._columns[: margin.size])
        held = np.setdiff1d(np.flatnonzero(self.theta), margin, assume_unique=True)
        for start in range(0, held.size, 512):
            block = held[start : start + 512]
            part, part_size = _sums(self.theta[block], self._kernel_rows(block))
            value += part
            size += part_size
        if margin.size:
            self.intercept = float(np.mean(self._margin_targets() - value[margin]))
        self.value = value + self.intercept
        self.rounding = _ROUNDINGS * EPS * size
        if not np.isfinite(self.value).all():
            raise Degenerate
        self._drift = 0.0
        self._n_steps = 0

    def _join(self, row: int, state: int) -> None:
        """Take a row from its node to the margin."""
        size = self._margin.size
        if size == len(self._columns):
            self._columns = np.vstack([self._columns, np.zeros((_SPARE, self.theta.size))])
            self._inverse = np.pad(self._inverse, ((0, _SPARE), (0, _SPARE)))
        column, inverse = self._kernel_rows(np.array([row]))[0], self._inverse
        if size:
            beta, pivot = self._lean(column, row)
            if not pivot > _DEPENDENT * abs(column[row]):
                raise Degenerate
            self._add_square(np.append(beta, 1.0), 1.0 / pivot)
        else:
            inverse[:2, :2] = [[-column[row], 1.0], [1.0, 0.0]]
        self._columns[size] = column
        self._peak = max(self._peak, float(np.abs(column).max()))
        self._margin = np.append(self._margin, row)
        self._state[row] = state
        self._low[row], self._high[row] = -np.inf, np.inf
        self.n_changes += 1

    def _add_square(self, vector: np.ndarray, factor: float) -> None:
        """Add the outer square of a vector to the upper left of the inverse."""
        padded = np.zeros(len(self._inverse))
        padded[: vector.size] = vector
        blas.dger(factor, padded, padded, a=self._inverse.T, overwrite_a=True)

    def _lean(self, column: np.ndarray, row: int) -> tuple[np.ndarray, float]:
        """Return what a unit of a row's coefficient asks of the margin, and what that is worth."""
        size = self._margin.size
        border = np.concatenate([[1.0], column[self._margin]])
        beta = -(self._inverse[: size + 1, : size + 1] @ border)
        return beta, float(column[row] + border @ beta)

    def _admit(self, row: int, state: int, sign: float) -> None:
        """Take a row to the margin; where it depends on it, first move to a bound without effect.

        Along the dependence no decision value changes, so that the coefficients of the row and of
        the margin can be moved in the direction `sign` of the row's until one of them is at a node.
        """
        self._state[row] = state
        self._low[row], self._high[row] = -np.inf, np.inf
        while self._margin.size:
            column = self._kernel_rows(np.array([row]))[0]
            beta, pivot = self._lean(column, row)
            if pivot > _DEPENDENT * abs(column[row]):
                break
            bound, position, node = self._first_bound(sign * beta[1:])
            piece = state // 2
            room = abs(self._nodes[row, piece + (sign > 0.0)] - self.theta[row])
            share = min(bound, room)
            if not np.isfinite(share):
                raise Degenerate
            self.theta[self._margin] += share * sign * beta[1:]
            self.intercept += share * sign * beta[0]
            self._drift += share * (abs(pivot) + EPS * float(np.abs(beta).sum()) * self._peak)
            if room <= bound:
                self._state[row] = 2 * (piece + (sign > 0.0))
                self.theta[row] = self._nodes[row, piece + (sign > 0.0)]
                self._set_limits(row)
                return
            self.theta[row] += bound * sign
            self._settle(position, node)
        self._join(row, state)

    def _admit_one_by_one(self) -> None:
        """Build up a margin of independent rows from one that is not."""
        rows, self._margin = self._margin, np.empty(0, dtype=np.intp)
        self._refactor()
        for row in rows.tolist():
            piece = (self._state[row] + 1) // 2
            slope = self.value[row] - self._targets[row, piece]
            self._admit(row, int(self._state[row]), -1.0 if slope > 0.0 else 1.0)
        self._refresh()

    def _leave(self, position: int) -> int:
        """Take a row off the margin, leaving its limits infinite; returns the row."""
        size, inverse = self._margin.size, self._inverse
        row, last = int(self._margin[position]), size - 1
        if size > 1:
            if position != last:
                for axis in (inverse, inverse.T):
                    axis[[position + 1, size], : size + 1] = axis[[size, position + 1], : size + 1]
                self._columns[position] = self._columns[last]
                self._margin[position] = self._margin[last]
            spoke = inverse[:size, size].copy()
            pivot = inverse[size, size]
            if not pivot > 0.0:
                raise Degenerate
            inverse[size] = inverse[:, size] = 0.0
            self._add_square(spoke, -1.0 / pivot)
        else:
            inverse[:2, :2] = 0.0
        self._margin = self._margin[:last].copy()
        self._columns[last] = 0.0
        self.n_changes += 1
        return row

    def _settle(self, position: int, node: int) -> None:
        """Put a row of the margin, which has arrived at a node, there."""
        row = self._leave(position)
        self._drift += abs(float(self._nodes[row, node] - self.theta[row])) * self._peak
        self.theta[row] = self._nodes[row, node]
        self._state[row] = 2 * node
        self._set_limits(row)

    # ---- steps

    def _first_bound(self, change: np.ndarray) -> tuple[float, int, int]:
        """Find how far coefficients on the margin can go; returns (share, position, node)."""
        if not change.size:
            return np.inf, -1, -1
        margin, piece = self._margin, self._state[self._margin] // 2
        up = change > 0.0
        room = self._nodes[margin, piece + up] - self.theta[margin]
        share = np.full(change.size, np.inf)
        np.divide(room, change, out=share, where=change != 0.0)
        position = int(share.argmin())
        return max(float(share[position]), 0.0), position, int(piece[position] + up[position])

    def _first_limit(self, change: np.ndarray) -> tuple[float, int, int]:
        """Find how far decision values can go; returns (share, row, its piece)."""
        limit = np.where(change > 0.0, self._high, self._low)
        share = np.full(change.size, np.inf)
        np.divide(limit - self.value, change, out=share, where=change != 0.0)
        row = int(share.argmin())
        state = self._state[row] + (-1 if change[row] > 0.0 else 1)
        return max(float(share[row]), 0.0), row, int(state)

    def _direction(self, total: float, push: np.ndarray) -> tuple[float, np.ndarray]:
        """Solve for the changes of the intercept and of coefficients on the margin.

        Coefficients shall change by `total` in sum, and margin rows' decision values by `push`.
        """
        size = self._margin.size
        right = np.concatenate([[total], push])
        solution = self._inverse[: size + 1, : size + 1] @ right
        return float(solution[0]), solution[1:]

    def _advance(self, share: float, db: float, dtheta: np.ndarray, change: np.ndarray) -> None:
        self.theta[self._margin] += share * dtheta
        self.intercept += share * db
        self.value += share * change
        self._drift += EPS * share * float(np.abs(dtheta).sum()) * self._peak
        self._n_steps += 1

    def forget(self, rows: np.ndarray) -> None:
        """Bring the coefficients of rows to zero, everything else staying optimal, and drop them.

        Parameters
        ----------
        rows : ndarray of shape (k,)

        Raises
        ------
        Degenerate
            If the way there is not unique; the machine is of no further use then.
        """
        self._low[rows], self._high[rows] = -np.inf, np.inf
        going = rows[self.theta[rows] != 0.0]
        if going.size:
            for position in np.flatnonzero(np.isin(self._margin, going))[::-1].tolist():
                self._leave(position)
            self._follow(going)
            self.theta[going] = 0.0
        self._columns[:, rows] = 0.0
        self.value[rows] = 0.0
        self._targets[rows], self._nodes[rows] = 0.0, 0.0

    def _follow(self, going: np.ndarray) -> None:
        # Coefficients go to zero along a straight line, on which the optimum is piecewise linear: a
        # piece ends where a coefficient comes to a node, or a decision value to a target.
        step = -self.theta[going]
        value_change = step @ self._kernel_rows(going)
        total = float(step.sum())
        left, budget = 1.0, 100 + 20 * (going.size + self._margin.size)
        while left > 0.0:
            budget -= 1  # with ties, rows can change places without end
            if budget < 0:
                raise Degenerate
            size = self._margin.size
            if not size and abs(total) > _ROUNDINGS * EPS * float(np.abs(step).sum()):
                self._shift_intercept(-total)
                continue
            if size:
                db, dtheta = self._direction(-total, -value_change[self._margin])
            else:
                db, dtheta = 0.0, np.empty(0)
            change = dtheta @ self._columns[:size] + value_change + db
            bound, position, node = self._first_bound(dtheta)
            limit, row, state = self._first_limit(change)
            share = min(left, bound, limit)
            self._advance(share, db, dtheta, change)
            left -= share
            if share == limit and limit < bound and limit <= left + share:
                self.value[row] = self._targets[row, (state + 1) // 2]
                self._join(row, state)
            elif share == bound:
                self._settle(position, node)

    def _shift_intercept(self, sign: float) -> None:
        """With no row on the margin, move the intercept until one is that can take up change."""
        if sign > 0.0:  # coefficients must grow: lower the intercept to the first lower limit
            slack = self.value - self._low
            row = int(slack.argmin())
            shift, state = -slack[row], self._state[row] + 1
        else:
            slack = self._high - self.value
            row = int(slack.argmin())
            shift, state = slack[row], self._state[row] - 1
        if not np.isfinite(shift):
            raise Degenerate
        self.intercept += float(shift)
        self.value += shift
        self._join(row, int(state))

    def polish(self) -> None:
        """Reach the optimum to rounding by active-set steps.

        Raises
        ------
        Degenerate
            If the optimum is not unique, not reached in many steps, or lost in rounding.
        """
        for _ in range(50 + 4 * self._margin.size):
            size = self._margin.size
            if not size:
                self._centre_intercept()
                if not self._is_fresh():
                    self._refresh()
                elif self.residual() <= RESIDUAL:
                    self._check_rounding()
                    return
                else:
                    self._join(*self._worst_offender())
                continue
            push = self._margin_targets() - self.value[self._margin]
            if size == 1:  # the sum leaves it no room
                db, dtheta = float(push[0]), np.zeros(1)
            else:
                db, dtheta = self._direction(-float(self.theta.sum()), push)
            bound, position, node = self._first_bound(dtheta)
            change = dtheta @ self._columns[:size] + db
            self._advance(min(bound, 1.0), db, dtheta, change)
            if bound < 1.0:
                self._settle(position, node)
                continue
            row, state = self._worst_offender()
            if self._excess()[row] > RESIDUAL * self.scale:
                self._admit(row, state, float(np.sign(state - self._state[row])))
            elif self.residual() <= RESIDUAL and self._is_fresh():
                if not self._settle_ties():
                    self._check_rounding()
                    return
            else:
                self._refresh()
                self._refactor()
        raise Degenerate

    def _worst_offender(self) -> tuple[int, int]:
        row = int(self._excess().argmax())
        above = self.value[row] - self._high[row] > self._low[row] - self.value[row]
        return row, int(self._state[row] + (-1 if above else 1))

    def _excess(self) -> np.ndarray:
        """Return by how much decision values are outside of their limits, beyond rounding."""
        return np.maximum(self.value - self._high, self._low - self.value) - self.rounding

    def _is_fresh(self) -> bool:
        """Tell whether decision values, updated in steps, are what coefficients give."""
        return self._drift <= 0.5 * RESIDUAL * self.scale

    def _check_rounding(self) -> None:
        """Raise where rounding hides whether the optimality conditions hold."""
        doubt = self._excess() + 2.0 * self.rounding
        doubt[self._margin] = self.rounding[self._margin]
        if not doubt.max(initial=0.0) <= _BLURRED * self.scale:
            raise Degenerate

    def _largest(self) -> float:
        return float(np.abs(self.theta).max(initial=0.0))

    def residual(self) -> float:
        """Return the largest violation of the optimality conditions, in the units of RESIDUAL."""
        margin = self._margin
        gap = np.abs(self._margin_targets() - self.value[margin]) - self.rounding[margin]
        values = max(gap.max(initial=0.0), self._excess().max(initial=0.0)) / self.scale
        beyond = max(-self._slacks().min(initial=0.0), self._sum_left())
        return float(max(values, beyond / self._largest() if beyond > 0.0 else 0.0))

    def _sum_left(self) -> float:
        """Return how far from zero, beyond rounding, the sum of the coefficients is."""
        return abs(float(self.theta.sum())) - _ROUNDINGS * EPS * float(np.abs(self.theta).sum())

    def touch_up(self) -> float:
        """After a path: correct rounding, and see that the optimum is unique.

        Returns
        -------
        error : float
            Estimated relative error of the coefficients.

        Raises
        ------
        Degenerate
            If a row is both on the margin and at a bound, or the residual cannot be made small.
        """
        if self._n_steps > _REFRESH_AFTER or not self._is_fresh():
            self._refresh()
        if self.n_changes > max(_REFACTOR_AFTER, self._margin.size):
            self._refactor()
        for attempt in range(3):
            self._correct()
            if self.residual() <= RESIDUAL:
                break
            if attempt == 1:
                self._refresh()
                self._refactor()
        else:
            raise Degenerate
        self._settle_ties()
        slack = np.minimum(self._high - self.value, self.value - self._low) - self.rounding
        if slack.min() <= _TIED * self.scale or self.residual() > RESIDUAL:
            raise Degenerate
        self._check_rounding()
        return self.error()

    def _settle_ties(self) -> bool:
        """Take rows off the margin whose coefficients are at a node but for rounding, if any."""
        settled = False
        while self._margin.size:
            slacks, reach = self._slacks(), self._widths[self._margin]
            slacks -= _TIED * np.minimum(reach, self._largest())
            position = int(slacks.argmin())
            if slacks[position] > 0.0:
                break
            row = self._margin[position]
            self._settle(position, int(np.abs(self._nodes[row] - self.theta[row]).argmin()))
            self._correct()
            settled = True
        return settled

    def _slacks(self) -> np.ndarray:
        """Return how far each coefficient on the margin is from a node."""
        piece, theta = self._state[self._margin] // 2, self.theta[self._margin]
        below = theta - self._nodes[self._margin, piece]
        return np.minimum(below, self._nodes[self._margin, piece + 1] - theta)

    def _correct(self) -> None:
        size = self._margin.size
        if not size:
            self._centre_intercept()
            return
        push = self._margin_targets() - self.value[self._margin]
        db, dtheta = self._direction(-float(self.theta.sum()), push)
        self._advance(1.0, db, dtheta, dtheta @ self._columns[:size] + db)

    def error(self) -> float:
        """Estimate the relative error of the coefficients, or of decision values if larger."""
        margin = self._margin
        gap = np.abs(self._margin_targets() - self.value[margin]).max(initial=0.0)
        blur = self.rounding[margin].max(initial=0.0) / _ROUNDINGS
        total = float(np.abs(self.theta).sum())
        residual = max(gap + blur + self._drift, abs(float(self.theta.sum()))) + EPS * total
        side = margin.size + 1
        gain = float(np.abs(self._inverse[:side, :side]).sum(axis=0).max()) if side > 1 else 1.0
        largest = self._largest()
        blurs = self.rounding / np.maximum(np.abs(self.value), self.scale)
        of_values = float(blurs.max(initial=0.0)) / _ROUNDINGS
        return max(residual * gain / largest, of_values) if largest > 0.0 else EPS

    def _centre_intercept(self) -> None:
        """With no row on the margin, take the middle of the intercepts that are optimal."""
        lowest = float((self._low - self.value).max())
        highest = float((self._high - self.value).min())
        if np.isfinite(lowest + highest):
            self.intercept += (lowest + highest) / 2.0
            self.value += (lowest + highest) / 2.0

    def wipe(self) -> None:
        """Overwrite everything."""
        overwrite(*(part for part in vars(self).values() if isinstance(part, np.ndarray)))


def _sums(theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of rows of the kernel matrix times coefficients, and of the absolute terms."""
    if rows.min(initial=0.0) >= 0.0:
        value, size = np.stack([theta, np.abs(theta)]) @ rows
        return value, size
    return theta @ rows, np.abs(theta) @ np.abs(rows)


def _bordered_inverse(gram: np.ndarray) -> np.ndarray:
    """Invert ``[[0, 1'], [1, gram]]``, by way of ``gram`` plus a constant, which is definite."""
    shift = float(np.abs(gram.diagonal()).mean())
    factor = Factor(gram + shift)
    if not factor.error < EPS / _DEPENDENT:
        raise Degenerate
    inverse = np.empty((len(gram) + 1, len(gram) + 1))
    inverse[1:, 1:] = factor.inverse()
    sums = inverse[1:, 1:].sum(axis=1)
    total = sums.sum()
    inverse[1:, 1:] -= np.multiply.outer(sums, sums / total)
    inverse[0, 1:] = inverse[1:, 0] = sums / total
    inverse[0, 0] = shift - 1.0 / total
    return inverse
