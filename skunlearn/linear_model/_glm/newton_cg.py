"""Newton's method where the multinomial Hessian is known only by its products.

Notation as in :mod:`skunlearn.linear_model._glm.problem`. Tables have a row for each class; those
of parameters and gradients add up to zero over classes, where the optimum is and H is definite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import overwrite
from skunlearn.linear_model._glm.certificate import log_hessian_change
from skunlearn.linear_model._glm.class_blocks import ClassBlocks
from skunlearn.linear_model._glm.least_curvature import certify_by_products
from skunlearn.linear_model._glm.newton import TARGET, step_length
from skunlearn.linear_model._glm.problem import Problem
from skunlearn.linear_model._glm.softmax_curvature import ScaledRows, SoftmaxCurvature
from skunlearn.linear_model._glm.softmax_curvature_array_api import scaled_rows, softmax_curvature

# Parameters from which on a multinomial H is not formed: there a fit takes a tenth of the time, and
# a request no longer at 20,000 rows; below, requests to long tables are faster with H at hand.
WIDE = 800

# Relative error from which on classes have blocks of their own.
_NEAR = 0.1

# Relative error up to which a step by exact products would have taken most of it away.
_FAR = 0.01

# Products with H, since the blocks were evaluated or a request began, that are worth new blocks.
_MANY_PRODUCTS = 40

# Products with H for one step at most.
_MOST_PRODUCTS = 200


@dataclass
class WideState:
    """Where a model stands whose Hessian is not held.

    Parameters
    ----------
    theta : ndarray of shape (n_params,)
        Parameters.

    penalty : ndarray of shape (n_params,)
        The penalty under which `theta` was found.

    radius : float
        A power of two above the norm of every row.
    """

    theta: np.ndarray
    penalty: np.ndarray
    radius: float

    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""
        overwrite(self.theta)


@dataclass(frozen=True)
class Descent:
    """Where Newton's method ended.

    Parameters
    ----------
    theta : ndarray of shape (n_params,)
    curvature : SoftmaxCurvature
        At theta.
    blocks : ClassBlocks
        Evaluated where few steps were needed from.
    error : float
        Relative Newton decrement, estimated by the blocks.
    size : float
        ``||theta||_H``.
    n_passes : int
        Gradients computed.
    """

    theta: np.ndarray
    curvature: SoftmaxCurvature
    blocks: ClassBlocks
    error: float
    size: float
    n_passes: int


@np.errstate(over="ignore", invalid="ignore")
def newton_cg(
    problem: Problem,
    theta: np.ndarray,
    radius: float,
    blocks: ClassBlocks | None = None,
    *,
    max_passes: int = 200,
    budget: float = 0.0,
) -> Descent:
    """Iterate to the optimum, each step by conjugate gradients that the blocks precondition.

    Parameters
    ----------
    problem : Problem
        Of a multinomial loss.
    theta : ndarray of shape (n_params,)
        Where to start.
    radius : float
        Above the norm of every row.
    blocks : ClassBlocks, default=None
        From an earlier point, to begin with; by default they are evaluated at the start.
    max_passes : int
        Gradients to compute at most.
    budget : float, default=0
        End where the distance to the optimum is proved to be at most this.

    Returns
    -------
    descent : Descent
    """
    n_classes = problem.loss.n_classes
    penalty = problem.penalty.reshape(n_classes, -1)
    table = theta.reshape(n_classes, -1)
    table = table - table.mean(axis=0)
    before = error = np.inf
    n_passes = n_products = 0
    rows = _scaled_rows(problem, blocks)
    coarse = True
    while True:
        theta = table.ravel()
        curvature = curvature_at(problem, theta)
        n_passes += 1
        if blocks is None:
            blocks = ClassBlocks(curvature, rows, penalty[0], shared=not table.any())
        size = math.sqrt(curvature.square + float(problem.penalty @ theta**2))
        gradient = curvature.sums.gradient.reshape(n_classes, -1) + penalty * table
        gradient -= gradient.mean(axis=0)
        before, error = error, _relative(blocks, gradient, size)
        # float32 will do until a step near the optimum shows that it does not
        coarse = coarse and not (before <= _FAR and error > 0.1 * before)
        if (blocks.shared and error <= _NEAR) or n_products > _MANY_PRODUCTS:
            if not blocks.shared:
                rows = _scaled_rows(problem, None)
            blocks, n_products = ClassBlocks(curvature, rows, penalty[0]), 0
            error = _relative(blocks, gradient, size)
        if error <= TARGET or (error >= 0.5 * before and error <= 1e-9):
            break
        if budget and n_passes > 1:
            found = certify_by_products(problem, curvature, theta, radius)
            if found.bound <= budget:
                break
        if n_passes >= max_passes:
            break
        # what a step leaves by its curvature shrinks faster than what this tolerance leaves
        tolerance = max(min(0.1, error**0.75), 0.3 * TARGET / error, 1e-5 * coarse)
        step, n_steps = _conjugate_gradients(
            curvature, rows if coarse else None, penalty, gradient, blocks, tolerance
        )
        n_products += n_steps
        if not step.any() and not coarse:
            break
        coarse = coarse and bool(step.any())
        length = 1.0
        if not log_hessian_change(problem, radius, step.ravel()) < 0.5:
            length = step_length(problem, theta, step.ravel(), gradient.ravel())
        table = table - length * step
        table -= table.mean(axis=0)
    return Descent(theta, curvature, blocks, max(error, EPS), size, n_passes)


def curvature_at(problem: Problem, theta: np.ndarray) -> SoftmaxCurvature:
    """Evaluate gradient and curvature of the rows at a point, in one pass."""
    kind = softmax_curvature(problem.X)
    return kind(problem.loss, problem.X, problem.y, problem.weights, theta)


def _scaled_rows(problem: Problem, blocks: ClassBlocks | None) -> ScaledRows:
    kind = scaled_rows(problem.X)
    fit_intercept = problem.loss.fit_intercept
    if blocks is None:
        return kind(problem.X, problem.weights, fit_intercept)
    return kind(problem.X, problem.weights, fit_intercept, blocks.center, blocks.scale)


def _relative(blocks: ClassBlocks, gradient: np.ndarray, size: float) -> float:
    decrement = float(np.sqrt(max(np.vdot(gradient, blocks.solve(gradient)), 0.0)))
    return decrement / size if size > 0.0 else decrement


def _conjugate_gradients(
    curvature: SoftmaxCurvature,
    rows: ScaledRows | None,
    penalty: np.ndarray,
    right: np.ndarray,
    blocks: ClassBlocks,
    tolerance: float,
) -> tuple[np.ndarray, int]:
    """Solve ``H s = right`` to a relative tolerance in the norm of the blocks' inverses.

    Returns
    -------
    solution : ndarray like `right`
    n_products : int
        Products with H.
    """
    solution, residual = np.zeros_like(right), right.copy()
    direction = preconditioned = blocks.solve(residual)
    size = first = float(np.vdot(residual, preconditioned))
    n_products = 0
    while size > tolerance**2 * first and n_products < _MOST_PRODUCTS:
        if rows is None:
            product = curvature.product(direction)
        else:
            product = rows.product(curvature, direction)
        product += penalty * direction
        n_products += 1
        curve = float(np.vdot(direction, product))
        if not curve > 0.0:
            break
        length = size / curve
        solution += length * direction
        residual -= length * product
        residual -= residual.mean(axis=0)
        preconditioned = blocks.solve(residual)
        size, former = float(np.vdot(residual, preconditioned)), size
        direction = preconditioned + size / former * direction
    return solution, n_products
