"""The optimum of a support vector machine, followed exactly while rows leave."""

from __future__ import annotations

import numpy as np

from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import overwrite
from skunlearn.svm._margin import Degenerate, Margin

# What optimality conditions may be violated by, relative to the size of the targets.
RESIDUAL = 1e-10

# Below this distance, relative, a row is both on the margin and at a bound.
_TIED = 1e-10

_REFACTOR_AFTER = 50
_REFRESH_AFTER = 1000


class Machine(Margin):
    """Coefficients of a kernel machine at their optimum: reached by `polish`, kept by `forget`.

    References
    ----------
    .. [1] Cauwenberghs, Poggio: Incremental and decremental support vector machine learning,
       NeurIPS 2000, equations 3 to 13.
    .. [2] Diehl, Cauwenberghs: SVM incremental learning, adaptation and optimization, IJCNN 2003,
       for many rows at once.
    """

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
            if not size and abs(total) > EPS * self._width:
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
            If the optimum is not unique, or not reached in many steps.
        """
        for _ in range(50 + 4 * self._margin.size):
            size = self._margin.size
            if not size:
                self._centre_intercept()
                if self.residual() <= RESIDUAL:
                    return
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
            if self._violation(row) <= RESIDUAL * self.scale:
                if self.residual() <= RESIDUAL:
                    self._settle_ties()
                    return
                self._refresh()
                self._refactor()
                continue
            self._admit(row, state, float(np.sign(state - self._state[row])))
        raise Degenerate

    def _worst_offender(self) -> tuple[int, int]:
        above, below = self.value - self._high, self._low - self.value
        row = int(np.maximum(above, below).argmax())
        return row, int(self._state[row] + (-1 if above[row] > below[row] else 1))

    def _violation(self, row: int) -> float:
        return float(max(self.value[row] - self._high[row], self._low[row] - self.value[row], 0.0))

    def residual(self) -> float:
        """Return the largest violation of the optimality conditions, relative to the targets."""
        margin = self._margin
        gap = np.abs(self._margin_targets() - self.value[margin]).max(initial=0.0)
        outside = np.maximum(self.value - self._high, self._low - self.value).max(initial=0.0)
        beyond = -self._slacks().min(initial=0.0)
        return float(max(gap, outside, beyond, abs(self.theta.sum())) / self.scale)

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
        if self._n_steps > _REFRESH_AFTER:
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
        slack = np.minimum(self._high - self.value, self.value - self._low)
        if slack.min() <= _TIED * self.scale or self.residual() > RESIDUAL:
            raise Degenerate
        return self.error()

    def _settle_ties(self) -> None:
        """Take rows off the margin whose coefficients are at a node but for rounding."""
        while self._margin.size and self._slacks().min() <= _TIED * self._width:
            position = int(self._slacks().argmin())
            row = self._margin[position]
            self._settle(position, int(np.abs(self._nodes[row] - self.theta[row]).argmin()))
            self._correct()

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
        """Estimate the relative error of the coefficients."""
        total = float(np.abs(self.theta).sum())
        residual = self.residual() * self.scale + EPS * total
        side = self._margin.size + 1
        gain = float(np.abs(self._inverse[:side, :side]).sum(axis=0).max()) if side > 1 else 1.0
        largest = float(np.abs(self.theta).max(initial=0.0))
        return residual * gain / largest if largest > 0.0 else EPS

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
