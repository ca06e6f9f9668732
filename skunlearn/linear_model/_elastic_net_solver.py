"""Solve an elastic net on joint moments: which weights are zero, then the others exactly.

References
----------
Lee, Battle, Raina, Ng: Efficient sparse coding algorithms, NIPS 2006, section 3 (feature-sign
search).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skunlearn._kernels.coordinate_descent import descend, duality_gap
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn.linear_model._least_squares import solve_normal_equations
from skunlearn.linear_model._moments_model import TOLERANCE

# Share of the penalty by which rounding may make a slope seem to pass it.
_SLACK = 1e-9

# Share of a column that the other columns in use must leave unexplained.
_DETERMINED = 1e-10

# Share of what a slope could be that is no more than rounding.
_ROUNDING = 1e-13

# Duality gaps, as shares of the target's square: at which to see whether the right weights are
# zero, and at which to give up.
_FIRST = 1e-4
_FINEST = 1e-14


# Changes of sign, beyond two for each weight, after which coordinate descent is the better way.
_STEPS = 50


class Solution(NamedTuple):
    """Weights of one target; `error` is infinite unless they solve the optimality conditions."""

    coef: np.ndarray
    gap: float
    n_iter: int
    error: float


class Problem(NamedTuple):
    """The elastic net of one target.

    Parameters
    ----------
    moments : JointMoments
        Of features and targets.

    scale : ndarray of shape (n_features,)
        What features are divided by.

    gram : ndarray of shape (n_features, n_features)
        Products of the divided features.

    right : ndarray of shape (n_features,)
        Their products with the target.

    target : int
        The target's position in the moments.

    l1, l2 : float
        Penalties of the sum of squares.

    positive : bool
        Whether weights must not be negative.
    """

    moments: JointMoments
    scale: np.ndarray
    gram: np.ndarray
    right: np.ndarray
    target: int
    l1: float
    l2: float
    positive: bool

    def solve(self, start: np.ndarray | None, max_iter: int) -> Solution:
        """Solve from the given weights, or from zero."""
        square = max(0.0, float(self.moments.scatter[self.target, self.target]))
        w = np.zeros(self.right.size) if start is None else start
        if start is not None or self.l1 == 0.0:
            exact = self._search(w, square, 1)
            if exact is not None:
                return exact
        n_iter = 0
        goal = _FIRST * square
        while True:
            w, gap, more = descend(
                *(self.gram, self.right, square, w, self.l1, self.l2, self.positive),
                *(goal, max_iter - n_iter),
            )
            n_iter += more
            exact = self._search(w, square, n_iter)
            if exact is None and goal == _FIRST * square:
                # Of collinear columns descent uses all, a search from zero only one.
                exact = self._search(np.zeros(w.size), square, n_iter)
            if exact is not None:
                return exact
            if n_iter >= max_iter or goal <= _FINEST * square:
                return Solution(w, gap, n_iter, np.inf)
            goal *= 1e-2

    def _search(self, w: np.ndarray, square: float, n_iter: int) -> Solution | None:
        """Search for the signs of the solution (Lee et al., algorithm 1), the objective falling.

        None where columns in use are collinear, or the search is long.
        """
        signs = np.sign(w)
        bound = self.l1 > 0.0 or self.positive
        if not bound:
            signs = np.ones(w.size)
        slack = _SLACK * self.l1 + _ROUNDING * np.sqrt(
            np.maximum(self.gram.diagonal(), 0.0) * square
        )
        for _ in range(_STEPS + 2 * w.size):
            used = np.flatnonzero(signs)
            values, error = self._given_signs(used, signs[used])
            if values is None:
                return None
            crosses = values * signs[used] <= 0.0
            if bound and crosses.any():
                before = w[used]
                share = before[crosses] / (before[crosses] - values[crosses])
                reached = before + share.min() * (values - before)
                reached[np.flatnonzero(crosses)[share <= share.min()]] = 0.0
                w = np.zeros(w.size)
                w[used] = reached
                signs = np.sign(w)
                continue
            w = np.zeros(w.size)
            w[used] = values
            products = self.gram[:, used] @ values
            slopes = self.right - products
            slopes[used] = 0.0
            excess = (slopes if self.positive else np.abs(slopes)) - self.l1 - slack
            worst = int(excess.argmax())
            if excess[worst] <= 0.0:
                return self._judged(w, products, square, error, n_iter)
            signs = np.sign(w)
            signs[worst] = np.sign(slopes[worst])
        return None

    def _given_signs(self, used: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray | None, float]:
        """Solve for the weights in use, given their signs."""
        if not used.size:
            return np.zeros(0), 0.0
        columns = np.append(used, self.target)
        scatter = self.moments.scatter[np.ix_(columns, columns)]
        scatter[-1, :-1] -= self.l1 * signs * self.scale[used]
        scatter[:-1, -1] = scatter[-1, :-1]
        solution = solve_normal_equations(
            scatter, self.moments.peak[columns], self.scale[used], self.l2, self.moments.n_updates
        )
        if solution is None or solution.tolerance <= _DETERMINED:
            return None, np.inf
        return solution.coef[0], solution.error

    def _judged(
        self, w: np.ndarray, products: np.ndarray, square: float, error: float, n_iter: int
    ) -> Solution:
        if self.l1 == 0.0 or square == 0.0:
            return Solution(w, 0.0, n_iter, error)
        gap = duality_gap(products, self.right, square, w, self.l1, self.l2, self.positive)
        error = max(error, gap / square)
        return Solution(w, gap if gap > TOLERANCE * square else 0.0, n_iter, error)
