"""A row's shard depends on its id and the seed, and on nothing else."""

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import BaggingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from skunlearn.ensemble import SISAClassifier, SISARegressor


class Recorder(RegressorMixin, BaseEstimator):
    """A regressor that remembers the rows it was fitted on."""

    def fit(self, X, y):
        self.rows_ = X[:, 0].astype(int).tolist()
        return self

    def predict(self, X):
        return np.zeros(len(X))


def shard_of_each(model):
    shards = np.flatnonzero(model.n_samples_per_shard_)
    return {
        row: int(shard)
        for shard, estimator in zip(shards, model.estimators_, strict=True)
        for row in estimator.rows_
    }


def fit(rows, ids=None, n_shards=5, seed=0):
    X = np.asarray(rows, dtype=float).reshape(-1, 1)
    model = SISARegressor(Recorder(), n_shards=n_shards, random_state=seed)
    return model.fit(X, np.zeros(len(X)), sample_ids=ids if ids is not None else list(rows))


@pytest.mark.fast
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_a_shard_outlives_its_neighbours(seed):
    model = fit(range(200), seed=seed)
    before = shard_of_each(model)
    rng = np.random.default_rng(seed)
    for gone in np.split(rng.permutation(200)[:150], 5):
        model.unlearn(gone)
        now = shard_of_each(model)
        assert now == {row: before[row] for row in now}
    assert len(now) == 50


@pytest.mark.fast
def test_position_and_size_do_not_matter():
    before = shard_of_each(fit(range(100)))
    shuffled = np.random.default_rng(0).permutation(60) + 20
    assert shard_of_each(fit(shuffled.tolist())).items() <= before.items()


@pytest.mark.fast
def test_rows_of_one_person_share_a_shard_in_training_order():
    ids = np.arange(120) % 10
    model = fit(range(120), ids=ids)
    shards = shard_of_each(model)
    assert all(len({shards[row] for row in range(i, 120, 10)}) == 1 for i in range(10))
    assert all(e.rows_ == sorted(e.rows_) for e in model.estimators_)
    model.unlearn(3)
    assert all(e.rows_ == sorted(e.rows_) for e in model.estimators_)
    assert not any(row % 10 == 3 for e in model.estimators_ for row in e.rows_)


def test_kinds_of_id_agree():
    ids = np.arange(50)
    expected = shard_of_each(fit(range(50), ids=ids))
    for same in (ids.tolist(), ids.astype(float), ids.astype(object), ids.astype(np.uint16)):
        assert shard_of_each(fit(range(50), ids=same)) == expected


@pytest.mark.parametrize("n_shards", [2, 7])
@pytest.mark.parametrize("kind", [int, str])
def test_shards_are_uniform_and_independent_of_each_other_between_seeds(n_shards, kind):
    """Chi-square over 100 seeds: neither too uneven nor too even, and pairs of seeds unrelated."""
    n, seeds = 700, range(0, 100_000, 1000)
    ids = [kind(i) for i in range(n)]
    statistic = pairs = 0.0
    previous = None
    for seed in seeds:
        shards = shard_of_each(fit(range(n), ids=ids, n_shards=n_shards, seed=seed))
        shards = np.array([shards[row] for row in range(n)])
        expected = n / n_shards
        statistic += ((np.bincount(shards, minlength=n_shards) - expected) ** 2 / expected).sum()
        if previous is not None:
            table = np.bincount(shards * n_shards + previous, minlength=n_shards**2)
            pairs += ((table - n / n_shards**2) ** 2 / (n / n_shards**2)).sum()
        previous = shards
    low, high = chi2.ppf([1e-6, 1 - 1e-6], 100 * (n_shards - 1))
    assert low < statistic < high
    low, high = chi2.ppf([1e-6, 1 - 1e-6], 99 * (n_shards**2 - 1))
    assert low < pairs < high


@pytest.mark.fast
def test_estimators_get_seeds_of_their_own():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(0, 2, size=60)
    base = make_pipeline(
        FunctionTransformer(), BaggingClassifier(DecisionTreeClassifier(), random_state=7)
    )
    model = SISAClassifier(base, n_shards=3, random_state=0).fit(X, y)
    seeds = [
        e.get_params()[f"baggingclassifier__{name}"]
        for e in model.estimators_
        for name in ("random_state", "estimator__random_state")
    ]
    assert len(set(seeds)) == 6
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert base.get_params()["baggingclassifier__random_state"] == 7
    assert model.estimator_.get_params()["baggingclassifier__random_state"] == 7
    model.unlearn([0, 1, 2, 3])
    assert seeds == [
        e.get_params()[f"baggingclassifier__{name}"]
        for e in model.estimators_
        for name in ("random_state", "estimator__random_state")
    ]


@pytest.mark.fast
def test_random_state_none_draws_one_seed_and_keeps_it():
    X, y = np.arange(50.0).reshape(-1, 1), np.zeros(50)
    models = [SISARegressor(Recorder()).fit(X, y) for _ in range(3)]
    assert len({tuple(shard_of_each(m).items()) for m in models}) == 3
    before = shard_of_each(models[0])
    models[0].unlearn(range(20))
    assert shard_of_each(models[0]) == {row: before[row] for row in range(20, 50)}
