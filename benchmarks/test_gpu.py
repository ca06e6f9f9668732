"""On a GPU: requests against refits there and against NumPy, and predictions of forests."""

import numpy as np
import pytest

from benchmarks.tools import scaled, seconds
from skunlearn._array_api import to_host
from skunlearn.ensemble import UnlearningForestClassifier
from skunlearn.linear_model import LogisticRegression, Ridge

cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install skunlearn[gpu]")
# These compare a device with the host; without one there is nothing to measure.
if not cupy.is_available():
    pytest.skip("CuPy finds no CUDA device", allow_module_level=True)

N_FEATURES = 200


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(scaled(1_000_000), N_FEATURES))
    y = X @ rng.normal(size=N_FEATURES) / np.sqrt(N_FEATURES) + rng.normal(size=len(X))
    return X, y


class Finished:
    """A model whose requests end when the device has done what they asked for."""

    def __init__(self, model):
        self.model = model

    def unlearn(self, sample_ids):
        """Unlearn, and wait for the device."""
        self.model.unlearn(sample_ids)
        cupy.cuda.Device().synchronize()


def cholesky_refit(X, y):
    """Fit Ridge on the device as fast as its library allows: centre, multiply, factorise."""
    mean, target = X.mean(axis=0), y.mean()
    gram = (X - mean).T @ (X - mean)
    gram[np.arange(N_FEATURES), np.arange(N_FEATURES)] += 1.0
    cupy.linalg.solve(gram, (X - mean).T @ (y - target))
    cupy.cuda.Device().synchronize()


def newton_refit(X, y):
    """Fit logistic regression on the device by plain Newton steps to 1e-10."""
    theta = cupy.zeros(N_FEATURES)
    for _ in range(20):
        chance = 1.0 / (1.0 + cupy.exp(-(X @ theta)))
        hessian = (X * (chance * (1.0 - chance))[:, None]).T @ X
        hessian[np.arange(N_FEATURES), np.arange(N_FEATURES)] += 1.0
        step = cupy.linalg.solve(hessian, X.T @ (chance - y) + theta)
        theta -= step
        if float(cupy.linalg.norm(step)) < 1e-10 * float(cupy.linalg.norm(theta)):
            break
    cupy.cuda.Device().synchronize()


def gap_to(model, there, here):
    """Compare with the same model of NumPy, refitted on the remaining rows."""
    X, y = here
    kept = there.sample_ids_
    expected = model.fit(X[kept], y[kept]).coef_
    return np.abs(to_host(there.coef_) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("refit", ["device", "numpy"])
def test_ridge(race, table, rng, size, refit):
    X, y = table
    on_device = cupy.asarray(X), cupy.asarray(y)
    model = Ridge().fit(*on_device)
    refits = {"device": lambda: cholesky_refit(*on_device), "numpy": lambda: Ridge().fit(X, y)}
    rows = rng.permutation(len(y))[: 30 * size].reshape(30, size).tolist()
    task = f"Ridge 1M x 200 on a GPU, {size} row(s); {refit}"

    def gap():
        return gap_to(Ridge(), model, table)

    race(task, Finished(model), rows, refits[refit], mark=1, gap=gap, refits=3)


@pytest.mark.parametrize("unlearning", ["newton", "bounded", "polished"])
@pytest.mark.parametrize("refit", ["device", "numpy"])
def test_logistic(race, table, rng, unlearning, refit):
    X, labels = table[0], (table[1] > 0).astype(np.float64)
    on_device = cupy.asarray(X), cupy.asarray(labels)
    model = LogisticRegression(fit_intercept=False, unlearning=unlearning).fit(*on_device)
    ours = LogisticRegression(fit_intercept=False)
    refits = {"device": lambda: newton_refit(*on_device), "numpy": lambda: ours.fit(X, labels)}
    rows = rng.permutation(len(labels))[:30].tolist()
    task = f"Logistic 1M x 200 on a GPU, {unlearning}; {refit}"

    def gap():
        return gap_to(ours, model, (X, labels))

    race(task, Finished(model), rows, refits[refit], mark=1, gap=gap, refits=3)


@pytest.mark.parametrize("cls", [Ridge, LogisticRegression])
def test_fit(benchmark, table, cls):
    X, y = table
    if cls is LogisticRegression:
        y = (y > 0).astype(np.float64)
    there = cupy.asarray(X), cupy.asarray(y)

    def fit():
        cls().fit(*there)
        cupy.cuda.Device().synchronize()

    benchmark.pedantic(fit, rounds=3, warmup_rounds=1)
    benchmark.extra_info["numpy_seconds"] = seconds(lambda: cls().fit(X, y))


@pytest.mark.parametrize("method", ["predict_proba", "apply"])
@pytest.mark.parametrize("n_rows", [20_000, 1_000_000])
def test_forest(benchmark, rng, method, n_rows):
    X = rng.normal(size=(scaled(100_000), 20)).astype(np.float32)
    y = (X[:, :3] ** 2).sum(axis=1) + 0.3 * rng.normal(size=len(X)) > 2.5
    ask = getattr(UnlearningForestClassifier(random_state=0).fit(X, y), method)
    queries = rng.normal(size=(scaled(n_rows), 20)).astype(np.float32)
    there = cupy.asarray(queries)

    def on_device():
        answers = ask(there)
        cupy.cuda.Device().synchronize()
        return answers

    assert np.array_equal(to_host(on_device()), ask(queries))
    benchmark.pedantic(on_device, rounds=9)
    benchmark.extra_info["numpy_seconds"] = seconds(lambda: ask(queries))
