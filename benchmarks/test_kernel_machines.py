"""Kernel machines: requests against refitting the scikit-learn namesake."""

import statistics

import numpy as np
import pytest
import sklearn.gaussian_process
import sklearn.kernel_ridge
import sklearn.svm
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from benchmarks.tools import scaled, seconds
from skunlearn.gaussian_process import GaussianProcessRegressor
from skunlearn.kernel_ridge import KernelRidge
from skunlearn.svm import SVC, SVR, LinearSVC


def relative(left, right):
    return np.abs(left - right).max() / np.abs(right).max()


def test_kernel_ridge(race, rng):
    X, y = rng.normal(size=(3000, 10)), rng.normal(size=3000)
    params = {"kernel": "rbf", "gamma": 0.1}
    model, namesake = KernelRidge(**params).fit(X, y), sklearn.kernel_ridge.KernelRidge(**params)

    def gap():
        kept = model.sample_ids_
        return relative(model.dual_coef_, namesake.fit(X[kept], y[kept]).dual_coef_)

    race(
        "KernelRidge 3,000, weights",
        model,
        rng.permutation(3000)[:270].tolist(),
        lambda: namesake.fit(X, y),
        mark=8000,
        gap=gap,
        refits=5,
    )


def test_kernel_ridge_purge(benchmark, rng):
    X, y = rng.normal(size=(3000, 10)), rng.normal(size=3000)
    params = {"kernel": "rbf", "gamma": 0.1}
    model, namesake = KernelRidge(**params).fit(X, y), sklearn.kernel_ridge.KernelRidge(**params)
    model.unlearn(0)
    purges, refits = [], []
    for start in range(1, 200, 40):
        for i in range(start, start + 40):
            model.unlearn(i)
        purges.append(seconds(model.purge))
        refits.append(seconds(lambda: namesake.fit(X, y)))
    ratio = statistics.median(refits) / statistics.median(purges)
    benchmark.extra_info["ratio"] = ratio
    print(f"\nKernelRidge 3,000: a refit takes {ratio:.1f} times what a purge takes (mark: 10)")
    benchmark.pedantic(lambda: None, rounds=1)


def path_following(benchmark, rng, task, cls, X, y, mark, **params):
    """Time requests for random rows, some of which cost nothing, and refits."""
    model, namesake = cls(**params).fit(X, y), getattr(sklearn.svm, cls.__name__)(**params)
    n_margin = int((np.abs(model.dual_coef_) < 1.0).sum())
    ids = rng.permutation(len(X)).tolist()
    first = seconds(lambda: model.unlearn(ids[0]))
    ours = [seconds(lambda i=i: model.unlearn(i)) for i in ids[1:201]]
    refits = [seconds(lambda: namesake.fit(X, y)) for _ in range(9)]
    fits = [seconds(lambda: cls(**params).fit(X, y)) for _ in range(5)]
    kept = model.sample_ids_
    again = cls(**params).fit(X[kept], y[kept])
    predict = "decision_function" if hasattr(model, "decision_function") else "predict"
    gap = np.abs(getattr(model, predict)(X) - getattr(again, predict)(X)).max()
    namesake = statistics.median(refits)
    benchmark.extra_info["ratio"] = namesake / statistics.mean(ours)
    print(
        f"\n{task} {len(X):,}, {n_margin} rows on the margin: mean "
        f"{statistics.mean(ours) * 1e3:.2f} ms (mark: {mark}), the first {first * 1e3:.0f} ms, a "
        f"refit {namesake / statistics.mean(ours):.0f} times the mean; decisions within {gap:.1e} "
        f"of retraining; fit takes {statistics.median(fits) / namesake:.2f} times scikit-learn's"
    )
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.parametrize(("noise", "gamma"), [(0.7, 0.05), (0.4, 0.15)])
def test_svc(benchmark, rng, noise, gamma):
    X = rng.normal(size=(2000, 10))
    y = np.sign(X[:, 0] + 0.5 * X[:, 1] * X[:, 2] + noise * rng.normal(size=2000))
    path_following(benchmark, rng, "SVC", SVC, X, y, 4, gamma=gamma)


def test_svr(benchmark, rng):
    X = rng.normal(size=(2000, 10))
    y = X[:, 0] + 0.5 * X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=2000)
    path_following(benchmark, rng, "SVR", SVR, X, y, 4, gamma=0.05, epsilon=0.3)


def test_linear_svc(race, rng):
    n = scaled(100_000)
    X = rng.normal(size=(n, 50))
    y = (X @ rng.normal(size=50) / 7 + 0.7 * rng.normal(size=n) > 0).astype(int)
    model, namesake = LinearSVC().fit(X, y), sklearn.svm.LinearSVC()
    again = LinearSVC()
    race(
        f"LinearSVC {n:,} x 50, 1 row(s)",
        model,
        rng.permutation(n)[:90].tolist(),
        lambda: namesake.fit(X, y),
        mark=5,
        gap=lambda: relative(
            model.coef_, again.fit(X[model.sample_ids_], y[model.sample_ids_]).coef_
        ),
        refits=3,
    )


@pytest.mark.parametrize(("size", "mark"), [(1, 5), (10, 2)])
def test_gaussian_process(race, rng, size, mark):
    X = rng.normal(size=(2000, 5))
    y = X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=2000)
    params = {"kernel": RBF(2.0) + WhiteKernel(0.01), "optimizer": None}
    model = GaussianProcessRegressor(**params).fit(X, y)
    namesake = sklearn.gaussian_process.GaussianProcessRegressor(**params)

    def gap():
        kept = model.sample_ids_
        return relative(model.predict(X[:500]), namesake.fit(X[kept], y[kept]).predict(X[:500]))

    ids = rng.permutation(2000)[: 30 * size]
    race(
        f"GaussianProcess 2,000, {size} row(s)",
        model,
        ids.tolist() if size == 1 else np.split(ids, 30),
        lambda: namesake.fit(X, y),
        mark=mark,
        gap=gap,
        refits=5,
    )
