"""The certificate is a theorem: it is tried on thousands of cases, and must never be violated."""

import os

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from skunlearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    TweedieRegressor,
)
from skunlearn.linear_model._glm.certificate import certify
from skunlearn.linear_model._glm.newton import polish
from skunlearn.linear_model._glm.problem import Factor, state_at

# The full size is run by SKUNLEARN_TEST_SCALE=1.
N_CASES = max(60, int(2500 * float(os.environ.get("SKUNLEARN_TEST_SCALE", "0.06"))))

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def draw_rows(rng):
    n, d = int(rng.integers(20, 300)), int(rng.integers(1, 8))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-2, 2, d)
    if rng.random() < 0.3:
        X[rng.random(n) < 0.05] *= 10.0 ** rng.integers(1, 4)
    if rng.random() < 0.2 and d > 1:
        X[:, 0] = X[:, 1] + 1e-3 * rng.normal(size=n)
    eta = X @ rng.normal(size=d) / (1.0 + np.abs(X).max()) * rng.choice([0.3, 3.0])
    return X, eta


def draw_case(rng, kind):
    X, eta = draw_rows(rng)
    fit_intercept = bool(rng.random() < 0.7)
    if kind == "logistic":
        y = (eta + rng.logistic(size=eta.size) * rng.choice([0.02, 1.0]) > 0).astype(int)
        y[:2] = 0, 1
        C = 10.0 ** rng.integers(-3, 7)
        model = LogisticRegression(C=C, fit_intercept=fit_intercept, unlearning="bounded")
    else:
        mean = np.exp(np.clip(eta, -3, 3))
        alpha = 10.0 ** rng.integers(-6, 1)
        shared = {"alpha": alpha, "fit_intercept": fit_intercept, "unlearning": "bounded"}
        if kind == "poisson":
            y, model = rng.poisson(mean).astype(float), PoissonRegressor(**shared)
        elif kind == "gamma":
            y, model = rng.gamma(2.0, mean / 2.0) + 1e-3, GammaRegressor(**shared)
        else:
            y = rng.poisson(mean) * rng.gamma(2.0, 1.0, mean.size)
            model = TweedieRegressor(power=1.5, **shared)
        y[0] = max(y[0], 1.0)
    weight = rng.exponential(size=eta.size) if rng.random() < 0.3 else None
    return model.set_params(bound_budget=1e9), X, y, weight


def choose_rows(rng, X, y, how):
    n = len(y)
    k = max(1, int(rng.choice([1, 0.05 * n, 0.3 * n])))
    if how == "adversarial":  # the most extreme rows of one side
        order = np.argsort(-np.linalg.norm(X, axis=1) * (y == y.max()))
        gone = order[:k]
    else:
        gone = rng.choice(n, k, replace=False)
    left = np.setdiff1d(np.arange(n), gone)
    return gone if np.unique(y[left]).size > 1 else gone[:0]


@pytest.mark.parametrize("kind", ["logistic", "poisson", "gamma", "tweedie"])
def test_the_certificate_is_a_bound_and_a_tight_one(kind, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    ratios, n_certified = [], 0
    for _ in range(N_CASES):
        model, X, y, weight = draw_case(rng, kind)
        gone = choose_rows(rng, X, y, rng.choice(["random", "adversarial"]))
        if not gone.size:
            continue
        model.fit(X, y, sample_weight=weight).unlearn(gone)
        bound = model.unlearning_report_.guarantee.bound
        if not np.isfinite(bound):
            continue
        n_certified += 1
        problem, state = model._problem(model._samples.sample_weight), model._state
        best, error, _ = polish(problem, state_at(problem, state.theta, state.radius))
        curvature = problem.full(problem.hessian(state.theta))
        gap = best.theta - state.theta
        distance = float(np.sqrt(max(gap @ curvature @ gap, 0.0)))
        slack = 10 * error * float(np.sqrt(best.theta @ curvature @ best.theta)) + 1e-9
        assert distance <= bound + slack, (distance, bound)
        shift = np.abs(X @ gap[: X.shape[1]] + (gap[-1] if model.fit_intercept else 0.0))
        assert (shift <= model.prediction_bound(X) + slack * np.abs(X).max()).all()
        if distance > 1e-7:
            ratios.append(bound / distance)
    assert n_certified > 0.5 * N_CASES
    assert np.median(ratios) <= 1.1


def test_separable_rows_without_penalty_never_get_a_false_certificate():
    X = np.linspace(-3, 3, 40)[:, None]
    y = (X[:, 0] > 0).astype(int)
    model = LogisticRegression(C=np.inf, unlearning="bounded", max_iter=15).fit(X, y)
    model.unlearn([0, 39])
    assert model.unlearning_report_.guarantee.bound > 1e3


def test_requests_without_a_pass_stay_within_their_bound(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = LogisticRegression(C=0.01, unlearning="newton", bound_budget=5.0).fit(X, y)
    served = 0
    for row in rng.permutation(len(y))[:60]:
        model.unlearn(row)
        report = model.unlearning_report_
        served += report.n_refitted == 0
        problem, state = model._problem(model._samples.sample_weight), model._state
        curvature = problem.full(problem.hessian(state.theta))
        best = polish(problem, state_at(problem, state.theta, state.radius))[0]
        gap = best.theta - state.theta
        assert np.sqrt(gap @ curvature @ gap) <= report.guarantee.bound
        missed = problem.gradient_sums(state.theta).gradient - state.gradient
        inverse = np.linalg.inv(problem.full(problem.hessian(state.reference)))
        assert np.sqrt(missed @ inverse @ missed) <= state.residual
    assert served > 30


def test_the_certificate_counts_the_rounding_of_the_gradient():
    X, y = load_breast_cancer(return_X_y=True)
    model = LogisticRegression(unlearning="bounded").fit(X / X.std(axis=0), y)
    problem, state = model._problem(model._samples.sample_weight), model._state
    found = certify(problem, state, Factor(problem.full(state.hessian)))
    assert found.residual > np.linalg.norm(found.gradient)
    assert found.bound > 0


def test_the_certificate_counts_that_classes_weigh_differently(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for C in (0.1, 10.0, 1e4):
        X = rng.normal(size=(60, 3))
        y = (X[:, 0] + rng.normal(size=60) > 0.8).astype(int)
        model = LogisticRegression(C=C, class_weight="balanced", unlearning="bounded").fit(X, y)
        for row in np.flatnonzero(y == 1)[:5].tolist():
            model.unlearn(row)
            problem, state = model._problem(model._samples.sample_weight), model._state
            found = certify(problem, state, Factor(problem.full(state.hessian)))
            curvature = problem.full(problem.hessian(state.theta))
            held = problem.full(state.hessian)
            least = np.linalg.eigvals(np.linalg.solve(held, curvature)).real.min()
            assert 1.0 / least <= found.norm_ratio**2 * (1.0 + 1e-9)
            best = polish(problem, state_at(problem, state.theta, state.radius))[0]
            gap = best.theta - state.theta
            assert np.sqrt(gap @ curvature @ gap) <= model.unlearning_report_.guarantee.bound + 1e-9
