"""The certificate where the multinomial Hessian is known only by its products.

Notation as in :mod:`skunlearn.linear_model._glm.softmax_curvature`.
"""

from __future__ import annotations

import math

import numpy as np

from skunlearn._linalg.precision import EPS
from skunlearn.linear_model._glm.certificate import Certificate, distance
from skunlearn.linear_model._glm.losses import n_terms
from skunlearn.linear_model._glm.problem import Problem, norm
from skunlearn.linear_model._glm.softmax_curvature import SoftmaxCurvature

# What rounding may take from sums of positive numbers that are never far from one another.
_KEPT = 1.0 - 1e-6


@np.errstate(over="ignore", invalid="ignore")
def certify_by_products(
    problem: Problem, curvature: SoftmaxCurvature, theta: np.ndarray, radius: float
) -> Certificate:
    """Bound the distance to the optimum as :func:`certify` does, by a bound of H from below.

    H is the one at theta itself, so that it has not changed; the norm of the gradient in that of
    its inverse is bounded by the Euclidean norm over the root of the least eigenvalue. Where
    predictors are rounded by d, what comes of it has at most the norm ``sqrt(sum w d'Sd)`` there.

    Parameters
    ----------
    problem : Problem
    curvature : SoftmaxCurvature
        At `theta`.
    theta : ndarray of shape (n_params,)
    radius : float
        Above the norm of every row.

    Returns
    -------
    certificate : Certificate
    """
    sums = curvature.sums
    gradient = sums.gradient + problem.penalty * theta
    terms = (n_terms(problem.X) + 8) * sums.magnitude
    rounding = EPS / 2 * (radius * terms + 2 * norm(problem.penalty * theta))
    predictors = EPS / 2 * (problem.X.shape[1] + 3) * radius * norm(theta)
    least = least_curvature(problem, curvature, radius)
    if not least > 0.0:
        return Certificate(np.inf, np.inf, gradient, rounding, loose=False)
    nu = (norm(gradient) + rounding) / math.sqrt(least)
    nu += 1.01 * predictors * math.sqrt(sums.curvature)
    self_concordance = problem.loss.concordance * radius
    bound, norm_ratio, _ = distance(self_concordance, 0.0, 1.0 / least, nu)
    return Certificate(bound, norm_ratio, gradient, rounding, loose=False)


def least_curvature(problem: Problem, curvature: SoftmaxCurvature, radius: float) -> float:
    """Bound the eigenvalues of H from below, where the classes' parameters add up to zero.

    The penalty l bounds them for weights V, and what remains is to bound H along intercepts b. Two
    bounds are at hand, and the larger counts.

    A row's S has no eigenvalue below its least probability, but the one of constants. With M the
    weighted sum of these probabilities, and m the mean of rows weighted so,
    ``H >= l |V|^2 + M |V m + b|^2``.

    By predictors' changes ``V x + b`` the rows' part of H is the square of a norm. Of b alone that
    is at least the root of s times ``|b|``, with s the least eigenvalue of the sum of S, and of V
    alone at most ``L |V|``, with L^2 half the sum of weights times the rows' largest norm squared.

    Either way the least eigenvalue is that of a matrix of two rows. Where weights are not
    penalised, the first idea still bounds H by a weighted Gram matrix.
    """
    n_each = problem.penalty.size // problem.loss.n_classes
    penalty = problem.penalty[:n_each]
    p, w = curvature.probabilities, curvature.weights
    floors = w * curvature.least_probabilities()
    n_weights = n_each - curvature.fit_intercept
    if not penalty[:n_weights].all():
        return _by_gram(problem, curvature, penalty, floors)
    least = float(penalty[:n_weights].min(initial=np.inf)) * _KEPT
    if not curvature.fit_intercept:
        return least
    center = curvature.center(floors)
    by_floors = _least_eigenvalue(least, float(center @ center), float(floors.sum()) * _KEPT)
    total = np.diag(w @ p) - p.T @ (w[:, None] * p)
    of_intercepts = float(np.linalg.eigvalsh(total)[1]) - 1e-9 * float(np.trace(total))
    by_sums = 0.0
    if of_intercepts > 0.0:
        ratio = 0.5 * radius**2 * float(w.sum()) / of_intercepts
        by_sums = _least_eigenvalue(least, ratio, of_intercepts)
    return max(by_floors, by_sums)


def _least_eigenvalue(penalty: float, square: float, curvature: float) -> float:
    """Bound the eigenvalues of ``[[l + c q, c sqrt(q)], [c sqrt(q), c]]`` from below."""
    trace = penalty + curvature * (1.0 + square)
    product = penalty * curvature
    root = math.sqrt(max(trace**2 - 4.0 * product, 0.0))
    return 2.0 * product / (trace + root) * _KEPT if product > 0.0 else 0.0


def _by_gram(
    problem: Problem, curvature: SoftmaxCurvature, penalty: np.ndarray, floors: np.ndarray
) -> float:
    """Bound the eigenvalues of H by those of the sum of ``w min(p) x x'``."""
    gram = curvature.gram(floors)
    gram.flat[:: penalty.size + 1] += penalty
    terms = n_terms(problem.X) + 4 * penalty.size + 16
    return float(np.linalg.eigvalsh(gram)[0]) - EPS * terms * float(np.trace(gram))
