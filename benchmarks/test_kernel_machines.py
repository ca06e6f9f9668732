"""Kernel machines: requests against refitting the scikit-learn counterpart."""

import statistics

import numpy as np
import pytest
import sklearn.kernel_ridge
import sklearn.svm

from benchmarks.tools import seconds
from skunlearn.kernel_ridge import KernelRidge
from skunlearn.svm import SVC


def relative(left, right):
    return np.abs(left - right).max() / np.abs(right).max()


def test_kernel_ridge(race, rng):
    X, y = rng.normal(size=(3000, 10)), rng.normal(size=3000)
    params = {"kernel": "rbf", "gamma": 0.1}
    model, theirs = KernelRidge(**params).fit(X, y), sklearn.kernel_ridge.KernelRidge(**params)

    def gap():
        kept = model.sample_ids_
        return relative(model.dual_coef_, theirs.fit(X[kept], y[kept]).dual_coef_)

    race(
        "KernelRidge 3,000, weights",
        model,
        rng.permutation(3000)[:270].tolist(),
        lambda: theirs.fit(X, y),
        mark=8000,
        gap=gap,
        refits=5,
    )


def test_kernel_ridge_purge(benchmark, rng):
    X, y = rng.normal(size=(3000, 10)), rng.normal(size=3000)
    params = {"kernel": "rbf", "gamma": 0.1}
    model, theirs = KernelRidge(**params).fit(X, y), sklearn.kernel_ridge.KernelRidge(**params)
    model.unlearn(0)
    purges, refits = [], []
    for start in range(1, 200, 40):
        for i in range(start, start + 40):
            model.unlearn(i)
        purges.append(seconds(model.purge))
        refits.append(seconds(lambda: theirs.fit(X, y)))
    ratio = statistics.median(refits) / statistics.median(purges)
    benchmark.extra_info["ratio"] = ratio
    print(f"\nKernelRidge 3,000: a refit takes {ratio:.1f} times what a purge takes (mark: 10)")
    benchmark.pedantic(lambda: None, rounds=1)


@pytest.mark.parametrize(("noise", "gamma"), [(0.7, 0.05), (0.4, 0.15)])
def test_svc(benchmark, rng, noise, gamma):
    X = rng.normal(size=(2000, 10))
    y = np.sign(X[:, 0] + 0.5 * X[:, 1] * X[:, 2] + noise * rng.normal(size=2000))
    model, theirs = SVC(gamma=gamma).fit(X, y), sklearn.svm.SVC(gamma=gamma)
    n_margin = int((np.abs(model.dual_coef_) < 1.0).sum())
    ids = rng.permutation(2000).tolist()
    first = seconds(lambda: model.unlearn(ids[0]))
    ours = [seconds(lambda i=i: model.unlearn(i)) for i in ids[1:201]]
    refits = [seconds(lambda: theirs.fit(X, y)) for _ in range(9)]
    kept = model.sample_ids_
    again = SVC(gamma=gamma).fit(X[kept], y[kept])
    gap = np.abs(model.decision_function(X) - again.decision_function(X)).max()
    ratio = statistics.median(refits) / statistics.mean(ours)
    benchmark.extra_info["ratio"] = ratio
    print(
        f"\nSVC 2,000, {n_margin} rows on the margin: mean {statistics.mean(ours) * 1e3:.2f} ms "
        f"(mark: 4), the first {first * 1e3:.0f} ms, a refit {ratio:.0f} times the mean; decisions "
        f"within {gap:.1e} of retraining"
    )
    benchmark.pedantic(lambda: None, rounds=1)
