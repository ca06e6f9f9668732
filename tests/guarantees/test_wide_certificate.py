"""Claims of models whose Hessian is not held, against optima in extended precision."""

import os

import numpy as np
import pytest

from skunlearn.linear_model import LogisticRegression
from skunlearn.linear_model._glm import newton_cg
from skunlearn.linear_model._glm.least_curvature import least_curvature
from tests.guarantees import exact_optima as exact

# The full size is run by SKUNLEARN_TEST_SCALE=1.
N_CASES = max(40, int(2000 * float(os.environ.get("SKUNLEARN_TEST_SCALE", "0.04"))))

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.fixture(autouse=True)
def _every_model_is_wide(monkeypatch):
    monkeypatch.setattr(newton_cg, "WIDE", 0)


def draw_case(rng):
    n, d, k = int(rng.integers(12, 120)), int(rng.integers(1, 7)), int(rng.integers(3, 6))
    X = rng.normal(size=(n, d))
    y = (X @ rng.normal(size=(d, k)) * rng.choice([0.3, 3.0]) + rng.gumbel(size=(n, k))).argmax(1)
    y[: 2 * k] = np.tile(np.arange(k), 2)
    kind = rng.choice(["plain", "columns", "rows", "offset", "duplicates"])
    if kind == "columns":
        X *= 10.0 ** rng.uniform(-4, 4, d)
    elif kind == "rows":
        X *= 10.0 ** rng.uniform(-3, 3, (n, 1))
    elif kind == "offset":
        X += 10.0 ** rng.uniform(0, 3, d)
    elif kind == "duplicates":
        X[:, -1] = X[:, 0] * (1.0 + 1e-6 * rng.normal(size=n))
        X[n // 2 :] = X[: n - n // 2]
    weight = None
    if rng.random() < 0.4:
        weight = 10.0 ** rng.uniform(-6, 6, n) * (rng.random(n) < 0.9)
        weight[: 2 * k] = 1.0
    model = LogisticRegression(
        C=np.inf if rng.random() < 0.1 else 10.0 ** rng.integers(-3, 5),
        fit_intercept=bool(rng.random() < 0.7),
        class_weight=rng.choice([None, "balanced"]),
        unlearning=rng.choice(["polished", "bounded"]),
        bound_budget=10.0 ** rng.integers(-4, 1),
        max_iter=300,
    )
    return model, X, y, weight


def long_optimum(problem, theta):
    """Newton's method with gradients in extended precision, and the Hessian at the start."""
    k = problem.loss.n_classes
    kept = problem.weights != 0.0
    X = problem.X[kept].astype(np.longdouble)
    if problem.loss.fit_intercept:
        X = np.hstack([X, np.ones((len(X), 1), dtype=np.longdouble)])
    codes, penalty = problem.y[kept].astype(int), problem.penalty.reshape(k, -1)
    w = problem.loss.weights_of(problem.y, problem.weights)[kept].astype(np.longdouble)
    table = theta.reshape(k, -1).astype(np.longdouble)
    free = np.tile(penalty[0] == 0.0, k)
    hessian = problem.loss.hessian(problem.X[kept], problem.y[kept], problem.weights[kept], theta)
    curvature = hessian + np.diag(problem.penalty)
    null = np.kron(np.ones((k, k)), np.diag(free[: penalty.shape[1]])) * np.trace(hessian) / k**2
    inverse = np.linalg.pinv(curvature + null, rcond=1e-15, hermitian=True)
    size = np.inf
    for _ in range(300):
        eta = X @ table.T
        p = np.exp(eta - eta.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(codes)), codes] -= 1.0
        gradient = (w[:, None] * p).T @ X + penalty * table
        step = inverse @ gradient.ravel().astype(float)
        former, size = size, float(np.sqrt(max(step @ curvature @ step, 0.0)))
        if size >= former:
            break
        table = table - step.reshape(table.shape)
    gap = (theta - table.ravel()).astype(float)
    return float(np.sqrt(max(gap @ curvature @ gap, 0.0))), former


def test_no_claim_is_violated(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    kinds, n_close = {"numerical": 0, "bounded": 0}, 0
    for _ in range(N_CASES):
        model, X, y, weight = draw_case(rng)
        gone = rng.choice(np.arange(10, len(y)), int(rng.choice([1, 2, len(y) // 10])), False)
        model.fit(X, y, sample_weight=weight, sample_ids=np.arange(len(y))).unlearn(gone)
        claim = model.unlearning_report_.guarantee
        problem, theta = model._problem(model._weights()), model._state.theta
        distance, slack = long_optimum(problem, theta)
        here = newton_cg.curvature_at(problem, theta)
        size = float(np.sqrt(here.square + problem.penalty @ theta**2))
        bound = claim.bound if claim.kind == "bounded" else claim.error * size
        kinds[claim.kind] += 1
        if model.unlearning == "bounded":
            assert claim.kind == "bounded"
        if np.isfinite(bound) and slack < 0.1 * bound:
            n_close += 1
            assert distance <= bound * (1.0 + 1e-6) + slack, (claim, distance)
    assert min(kinds.values()) > 0.1 * N_CASES
    assert n_close > 0.6 * N_CASES


def is_at_least(problem, theta, bound):
    """Tell to fifty digits whether H is above a bound, where classes add up to zero."""
    k, fit_intercept = problem.loss.n_classes, problem.loss.fit_intercept
    kept, strength = problem.weights != 0.0, exact.decimals(problem.penalty[:1])[0]
    rows = problem.X[kept], problem.y[kept], problem.weights[kept]
    at = exact.softmax_loss(*rows, strength, fit_intercept, k)
    hessian = at(exact.decimals(theta))[1]
    if fit_intercept:  # a constant for all intercepts is none of these directions
        free = slice(problem.X.shape[1], None, problem.X.shape[1] + 1)
        hessian[free, free] += exact.decimals(np.full((k, k), 1e30))
    hessian -= np.diag(exact.decimals(np.full(theta.size, bound)))
    return exact.solve(hessian, exact.decimals(theta)) is not None


def test_the_least_eigenvalue_is_not_overestimated(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for _ in range(N_CASES // 2):
        model, X, y, weight = draw_case(rng)
        model.set_params(class_weight=None)
        model.fit(X, y, sample_weight=weight, sample_ids=np.arange(len(y)))
        problem, theta = model._problem(model._weights()), model._state.theta
        here = newton_cg.curvature_at(problem, theta)
        bound = least_curvature(problem, here, model._state.radius)
        assert (bound > 0.0) == bool(np.isfinite(model.C))
        assert bound == 0.0 or is_at_least(problem, theta, bound)
