"""A base that cannot be refitted leaves everything as it was; readers see one version."""

import pickle
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skunlearn.ensemble import SISAClassifier, SISARegressor
from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError


class Fragile(RegressorMixin, BaseEstimator):
    """A mean that cannot be fitted on the first row of a pair of partners without the second."""

    def __init__(self, error=ValueError, partners=()):
        self.error = error
        self.partners = partners

    def fit(self, X, y):
        held = set(X[:, 0].astype(int).tolist())
        if any(one in held and other not in held for one, other in self.partners):
            raise self.error("cannot do without")
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


def fragile_model(error, n_jobs):
    """Build a model that cannot lose row 0: a row of the same shard needs it."""
    X, y = np.arange(40.0).reshape(-1, 1), np.arange(40.0)
    probe = SISARegressor(DecisionTreeRegressor(), n_shards=3, random_state=0).fit(X, y)
    shard = [set(e.tree_.value.ravel().tolist()) for e in probe.estimators_]
    (mates,) = [s for s in shard if 0.0 in s]
    partner = next(i for i in range(5, 40) if float(i) in mates)
    base = Fragile(error, partners=((partner, 0),))
    model = SISARegressor(base, n_shards=3, random_state=0, n_jobs=n_jobs)
    return X, model.fit(X, y)


@pytest.mark.parametrize(
    ("error", "n_jobs"),
    [
        *(
            pytest.param(error, None, marks=pytest.mark.fast)
            for error in (ValueError, MemoryError, RuntimeError, KeyboardInterrupt)
        ),
        pytest.param(ValueError, 2, marks=pytest.mark.long),
        (MemoryError, 2),
    ],
)
def test_a_failed_refit_changes_nothing(error, n_jobs):
    X, model = fragile_model(error, n_jobs)
    before, predictions = pickle.dumps(model), model.predict(X)
    expected = NotUnlearnableError if error is ValueError else error
    with pytest.raises(expected, match="cannot do without") as caught:
        model.unlearn(range(5))
    if error is ValueError:
        assert isinstance(caught.value.__cause__, ValueError)
        assert "While fitting shard" in str(caught.value.__cause__.__notes__)
    assert pickle.dumps(model) == before
    assert_array_equal(model.predict(X), predictions)
    assert model.sample_ids_.tolist() == list(range(40))
    assert model.unlearn(39).sample_ids_.tolist() == list(range(39))


@pytest.mark.fast
def test_a_failed_fit_says_which_shard():
    X, y = np.arange(20.0).reshape(-1, 1), np.arange(20.0)
    base = Fragile(ValueError, partners=tuple((i, 99) for i in range(20)))
    with pytest.raises(ValueError, match="cannot do without") as caught:
        SISARegressor(base, random_state=0).fit(X, y)
    assert not isinstance(caught.value, NotUnlearnableError)
    assert "While fitting shard" in caught.value.__notes__[0]


@pytest.mark.fast
def test_a_shard_that_cannot_predict_is_refused(global_random_seed):
    X = np.random.default_rng(global_random_seed).normal(size=(40, 2))
    y, gone = np.arange(40) % 2, np.arange(5, 40)
    X[:5] = X[0]
    model = SISAClassifier(GaussianNB(), n_shards=1).fit(X, y)
    with pytest.raises(NotUnlearnableError, match="GaussianNB is not finite for a row"):
        model.unlearn(gone)
    with pytest.raises(ValueError, match="GaussianNB is not finite for a row"):
        clone(model).fit(np.delete(X, gone, 0), np.delete(y, gone))
    neighbors = SISARegressor(KNeighborsRegressor(), n_shards=1).fit(X, y)
    with pytest.raises(NotUnlearnableError, match="n_neighbors"):
        neighbors.unlearn(np.arange(36))
    assert np.isfinite(neighbors.unlearn(np.arange(35)).predict(X)).all()


@pytest.mark.fast
def test_requests_that_cannot_be_met():
    X, y = np.arange(10.0).reshape(-1, 1), np.arange(10) % 2
    model = SISAClassifier(random_state=0).fit(X, y)
    with pytest.raises(UnknownSampleError):
        model.unlearn([3, 99])
    with pytest.raises(NotUnlearnableError, match="all 10"):
        model.unlearn(range(10))
    assert model.unlearn([]).sample_ids_.size == 10
    with pytest.raises(NotFittedError):
        SISAClassifier().unlearn(0)
    with pytest.raises(NotFittedError):
        SISARegressor().predict(X)


@pytest.mark.fast
def test_only_weightless_rows_left():
    X, y = np.arange(10.0).reshape(-1, 1), np.arange(10) % 2
    weights = (np.arange(10) < 2).astype(float)
    model = SISAClassifier(random_state=0).fit(X, y, sample_weight=weights)
    with pytest.raises(NotUnlearnableError, match="weight zero"):
        model.unlearn([0, 1])
    assert model.sample_ids_.size == 10
    with pytest.raises(ValueError, match="at least one non-zero"):
        SISAClassifier().fit(X, y, sample_weight=np.zeros(10))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SISAClassifier(LinearRegression()), "needs a classifier"),
        (SISARegressor(LogisticRegression()), "needs a regressor"),
        (SISAClassifier(LinearSVC()), "needs predict_proba.*'hard'"),
        (SISAClassifier("tree"), "'estimator' parameter"),
        (SISAClassifier(n_shards=0), "'n_shards' parameter"),
        (SISAClassifier(voting="none"), "'voting' parameter"),
    ],
)
def test_parameters_are_checked(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(np.eye(6), [0, 1] * 3)


@pytest.mark.fast
def test_weights_that_the_base_does_not_take():
    X, y = np.arange(20.0).reshape(-1, 1), np.arange(20) % 2
    for base in (KNeighborsClassifier(1), make_pipeline(DecisionTreeClassifier())):
        model = SISAClassifier(base, n_shards=2)
        with pytest.raises(ValueError, match=r"takes no sample_weight"):
            model.fit(X, y, sample_weight=np.ones(20))


@pytest.mark.fast
def test_input_that_a_shard_of_one_class_would_not_notice():
    X, y = np.ones((8, 2)), np.zeros(8)
    model = SISAClassifier(LogisticRegression(), random_state=0)
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(np.full((8, 2), np.nan), y)
    with pytest.raises(ValueError, match="1D array"):
        model.fit(np.ones(8), y)
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        model.fit(np.ones((8, 0)), y)
    model.fit(X, y)
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(np.full((8, 2), np.nan))
    with pytest.raises(ValueError, match="has 3 features"):
        model.predict(np.ones((8, 3)))


@pytest.mark.fast
def test_hard_voting_has_no_probabilities():
    X, y = np.arange(20.0).reshape(-1, 1), np.arange(20) % 2
    model = SISAClassifier(voting="hard", random_state=0).fit(X, y)
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "predict_log_proba")
    with pytest.raises(AttributeError, match="predict_proba"):
        model.predict_proba(X)


def test_threads_see_the_old_or_the_new_model():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 3)), rng.normal(size=400)
    model = SISARegressor(n_shards=4, random_state=0).fit(X, y)
    requests = np.array_split(rng.permutation(400)[:300], 15)
    twin = SISARegressor(n_shards=4, random_state=0).fit(X, y)
    versions = [twin.predict(X)] + [twin.unlearn(r).predict(X) for r in requests]
    allowed = {v.tobytes() for v in versions}
    seen, done = [], threading.Event()

    def read():
        while not done.is_set():
            seen.append(model.predict(X).tobytes())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for request in requests:
        model.unlearn(request)
    done.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 2
    assert set(seen) <= allowed


@pytest.mark.parametrize("model", [SISAClassifier(n_shards=2), SISARegressor(n_shards=2)])
def test_negative_weights_are_refused(model):
    X, y, weight = np.arange(12.0)[:, None], np.arange(12) % 2, np.ones(12)
    weight[3] = -1.0
    with pytest.raises(ValueError, match="Negative values"):
        model.fit(X, y, weight)
