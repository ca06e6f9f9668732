"""Certified removal: requests against refits, and against the step of Guo et al. as published."""

import numpy as np
import pytest
import sklearn.linear_model
from scipy.special import expit
from sklearn.datasets import make_classification

from benchmarks.tools import scaled
from skunlearn.linear_model import CertifiedLogisticRegression

SIZES = {"100k x 50": (100_000, 50, 1e-4), "12k x 784": (12_000, 784, 1e-3)}


@pytest.fixture(scope="module", params=list(SIZES))
def task(request):
    """Make rows of norm 1 at most; the second size is that of two digits of MNIST."""
    n, d, strength = SIZES[request.param]
    X, y = make_classification(scaled(n), d, n_informative=20, random_state=0)
    X /= np.linalg.norm(X, axis=1).max()
    return request.param, X, y, 1.0 / (strength * len(X))


def published_step(X, y, C):
    """Make the removal step of the paper for one row: the Hessian anew from all rows, inverted."""
    rows, labels = X.astype(np.float32), y.astype(np.float32)
    w = np.zeros(X.shape[1], dtype=np.float32)

    def step():
        chance = expit(rows @ w)
        hessian = rows.T @ (rows * (chance * (1 - chance))[:, np.newaxis])
        hessian.flat[:: len(w) + 1] += 1.0 / C
        return np.linalg.inv(hessian) @ ((chance[0] - labels[0]) * rows[0])

    return step


def exact_gap(model, X, y, C):
    kept = model.sample_ids_
    exact = sklearn.linear_model.LogisticRegression(
        C=C, solver="newton-cholesky", tol=1e-10, fit_intercept=False
    ).fit(X[kept], y[kept])
    return np.abs(model.coef_ - exact.coef_).max() / np.abs(exact.coef_).max()


def against(race, task, rng, what, refit, parameters, *, mark, n=60, **options):
    size, X, y, C = task
    model = CertifiedLogisticRegression(C=C, fit_intercept=False, **parameters).fit(X, y)
    rows = rng.permutation(len(y))[:n].tolist()
    race(
        f"{what}, {size}",
        model,
        rows,
        refit(X, y, C),
        mark=mark,
        gap=lambda: exact_gap(model, X, y, C),
        **options,
    )


def default_refit(X, y, C):
    namesake = sklearn.linear_model.LogisticRegression(C=C, fit_intercept=False)
    return lambda: namesake.fit(X, y)


GUO = {"mechanism": "guo2020", "bound_budget": 2.0}


def test_guo2020_without_a_pass(race, task, rng):
    against(race, task, rng, "guo2020; default refit", default_refit, GUO, mark=1, n=120)


def test_guo2020_against_the_published_step(race, task, rng):
    against(race, task, rng, "guo2020; published step", published_step, GUO, mark=300, n=120)


def test_guo2020_refits_included(race, task, rng):
    what = "guo2020, mean with refits; default refit"
    against(race, task, rng, what, default_refit, GUO, mark=1, n=120, amortised=True)


def test_output(race, task, rng):
    against(race, task, rng, "output, certified; default refit", default_refit, {}, mark=1)
