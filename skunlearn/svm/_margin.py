"""The margin of a support vector machine: which rows are on it, and what moves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import blas

from skunlearn._linalg.inverse import Factor
from skunlearn._linalg.precision import EPS

# Below this share of its diagonal a new row of the bordered system counts as dependent on the
# others.
_DEPENDENT = 1e-11

_SPARE = 64


class Degenerate(ArithmeticError):
    """The optimum, or a point on the way to it, is not unique."""


class Margin:
    """Rows on the margin of a kernel machine, and those that go there or come from there.

    The machine minimises ``t'Kt/2 + sum_i c_i(t_i)`` over coefficients t with ``sum t = 0``.

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
        self._width = np.ptp(nodes, axis=1).max(initial=0.0)
        self._targets = np.column_stack([np.full(n, np.inf), targets, np.full(n, -np.inf)])
        self.scale = 1.0 + float(np.abs(targets).max(initial=0.0))
        gaps = np.abs(theta[:, None] - nodes)
        nearest = gaps.argmin(axis=1)
        at_node = gaps.min(axis=1) <= 1e-12 * self._width
        self.theta = np.where(at_node, nodes[np.arange(n), nearest], theta)
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
        if size:
            self._columns[:size] = self._kernel_rows(self._margin)
            gram = self._columns[:size, self._margin]
            inverse[: size + 1, : size + 1] = _bordered_inverse(gram)
        self._inverse, self.n_changes = inverse, 0

    def _refresh(self) -> None:
        """Compute decision values from scratch, so that rounding does not add up."""
        margin = self._margin
        value = self.theta[margin] @ self._columns[: margin.size]
        held = np.setdiff1d(np.flatnonzero(self.theta), margin, assume_unique=True)
        for start in range(0, held.size, 512):
            block = held[start : start + 512]
            value += self.theta[block] @ self._kernel_rows(block)
        if self._margin.size:
            self.intercept = float(np.mean(self._margin_targets() - value[self._margin]))
        self.value = value + self.intercept
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
            self.theta[self._margin] += min(bound, room) * sign * beta[1:]
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
        self._n_steps += 1


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
