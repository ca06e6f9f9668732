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
from skunlearn.linear_model._glm.softmax_curvature_array_api import scaled_rows

# What rounding may take from sums of positive numbers that are never far from one another.
_KEPT = 1.0 - 1e-6


@np.errstate(over="ignore", invalid="ignore")
def certify_by_products(
    problem: Problem,
    curvature: SoftmaxCurvature,
    theta: np.ndarray,
    radius: float,
    *,
    sharply: bool = False,
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
    sharply : bool, default=False
        Whether to spend a Gram matrix on it, by which offsets and scales of columns do not matter.
        Where there are weights without a penalty, nothing else would do.

    Returns
    -------
    certificate : Certificate
    """
    sums = curvature.sums
    gradient = sums.gradient + problem.penalty * theta
    terms = EPS / 2 * (n_terms(problem.X) + 8) * sums.magnitude
    rounding = radius * terms + EPS * norm(problem.penalty * theta)
    predictors = EPS / 2 * (problem.X.shape[1] + 3) * radius * norm(theta)
    least = least_curvature(problem, curvature, radius)
    bound = np.inf
    if least > 0.0:
        nu = (norm(gradient) + rounding) / math.sqrt(least)
        nu += 1.01 * predictors * math.sqrt(sums.curvature)
        bound = distance(problem.loss.concordance * radius, 0.0, 1.0 / least, nu)[0]
    if sharply or not least > 0.0:
        bound = min(bound, _bound_by_gram(problem, curvature, theta, gradient, terms))
    return Certificate(bound, 1.0, gradient, rounding, loose=False)


def _bound_by_gram(
    problem: Problem,
    curvature: SoftmaxCurvature,
    theta: np.ndarray,
    gradient: np.ndarray,
    terms: float,
) -> float:
    """Bound the distance by a Gram matrix A with ``H >= A`` for each class's parameters.

    A row's S has no eigenvalue below its least probability p, but the one of constants, so that A
    is the penalty plus the sum of ``w p z z'``. The rows z are centred and scaled, and gradient and
    parameters are seen from there; the error of a sum of the rows' is seen so column by column.
    """
    n_classes = problem.loss.n_classes
    penalty = problem.penalty.reshape(n_classes, -1)[0].copy()
    table, right = theta.reshape(n_classes, -1), gradient.reshape(n_classes, -1).copy()
    n_weights, n_each = problem.X.shape[1], penalty.size
    rows = scaled_rows(problem.X)
    center, scale = rows.fitting(problem.X, curvature.weights, curvature.fit_intercept)
    largest = np.abs(center) + 1.0 / scale
    sizes = np.abs(table[:, :n_weights]) @ largest
    of_columns = np.ones(n_each)
    of_columns[:n_weights] += 2.0 * scale * np.abs(center)
    of_penalty = EPS * norm((scale * penalty[:n_weights] * table[:, :n_weights]).ravel())
    if curvature.fit_intercept:
        sizes += np.abs(table[:, -1])
        right[:, :n_weights] -= right[:, -1:] * center
    right[:, :n_weights] *= scale
    penalty[:n_weights] *= scale**2
    floors = curvature.weights * curvature.least_probabilities()
    gram = curvature.gram(floors, center, scale)
    gram.flat[:: n_each + 1] += penalty
    if not (np.isfinite(gram).all() and np.isfinite(right).all()):
        return np.inf
    values, vectors = np.linalg.eigh(gram)
    # from sums, predictors, centring, and from the eigenvalues
    error = n_terms(problem.X) + 4 * n_each + 16 + 4.0 * float(of_columns.max())
    values = values * _KEPT - EPS * error * float(np.trace(gram))
    if not values[0] > 0.0:
        return np.inf
    nu = math.sqrt(float(((right @ vectors) ** 2 / values).sum()))
    nu += (terms * norm(of_columns) + of_penalty) / math.sqrt(values[0])
    predictors = EPS / 2 * (n_weights + 3) * norm(sizes)
    nu += 1.01 * predictors * math.sqrt(curvature.sums.curvature)
    self_concordance = problem.loss.concordance * math.sqrt(n_each) * (1.0 + 1e-9)
    return distance(self_concordance, 0.0, 1.0 / float(values[0]), nu * (1.0 + 1e-8))[0]


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

    Either way the least eigenvalue is that of a matrix of two rows; zero where some weights are not
    penalised.
    """
    n_each = problem.penalty.size // problem.loss.n_classes
    penalty = problem.penalty[:n_each]
    p, w = curvature.probabilities, curvature.weights
    floors = w * curvature.least_probabilities()
    n_weights = n_each - curvature.fit_intercept
    least = float(penalty[:n_weights].min()) * _KEPT
    if not (curvature.fit_intercept and least > 0.0):
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
