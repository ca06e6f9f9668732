"""Unlearning gives, bit for bit, what retraining without the rows gives."""

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skunlearn.ensemble import SISAClassifier, SISARegressor
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.utils import get_unlearning_tags

MORE_SEEDS = [pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2)]

PARAMETERS = ("estimator", "n_shards", "voting", "n_jobs", "random_state")


def assert_same_state(model, oracle):
    """Every fitted attribute, public or private, and every training row."""
    state, expected = vars(model), vars(oracle)
    names = {name for name in expected if name not in PARAMETERS} - {"_samples"}
    assert set(state) - {"unlearning_report_", *PARAMETERS} - {"_samples"} == names
    for name in names - {"estimators_", "_times"}:
        assert joblib.hash(state[name]) == joblib.hash(expected[name]), name
    assert len(state["estimators_"]) == len(expected["estimators_"])
    for one, other in zip(state["estimators_"], expected["estimators_"], strict=True):
        assert joblib.hash(one) == joblib.hash(other)
    for one, other in zip(
        model._samples.take(model._samples.slots()),
        oracle._samples.take(oracle._samples.slots()),
        strict=True,
    ):
        assert joblib.hash(one) == joblib.hash(other)
    assert model.sample_ids_.tolist() == oracle.sample_ids_.tolist()


def refitted(model, X, y, ids, gone, weights=None):
    keep = ~np.isin(ids, list(gone))
    extra = {} if weights is None else {"sample_weight": weights[keep]}
    return type(model)(**model.get_params(deep=False)).fit(
        X[keep], y[keep], sample_ids=ids[keep], **extra
    )


@st.composite
def problems(draw):
    n = draw(st.integers(4, 30))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)).round(1)
    y = rng.integers(0, draw(st.integers(1, 4)), size=n)
    ids = rng.integers(0, max(2, draw(st.integers(n // 2, 2 * n))), size=n)
    distinct = draw(st.permutations(sorted(set(ids.tolist()))))
    n_gone = draw(st.integers(0, len(distinct) - 1))
    gone = distinct[:n_gone]
    cuts = sorted(draw(st.lists(st.integers(0, n_gone), max_size=3)))
    requests = [gone[a:b] for a, b in zip([0, *cuts], [*cuts, n_gone], strict=True)]
    if draw(st.booleans()):
        ids = np.array([f"person {i}" for i in ids])
        requests = [[f"person {i}" for i in request] for request in requests]
    weights = rng.integers(0, 4, size=n).astype(float) if draw(st.booleans()) else None
    return X, y, ids, weights, requests, draw(st.integers(1, 7)), seed


@pytest.mark.fast
@given(problem=problems(), soft=st.booleans())
@pytest.mark.parametrize(
    "make",
    [
        lambda soft, **k: SISAClassifier(voting="soft" if soft else "hard", **k),
        lambda soft, **k: SISAClassifier(
            # As many epochs as needed would be too many for some rows, of which it warns.
            SGDClassifier(loss="log_loss", tol=None, max_iter=20),
            voting="soft" if soft else "hard",
            **k,
        ),
        lambda soft, **k: SISARegressor(DecisionTreeRegressor(max_features=1), **k),
        lambda soft, **k: SISARegressor(LinearRegression(), **k),
    ],
    ids=["tree", "sgd", "tree regressor", "linear"],
)
def test_any_requests_in_any_order(make, problem, soft):
    X, y, ids, weights, requests, n_shards, seed = problem
    gone = [i for request in requests for i in request]
    keep = ~np.isin(ids, gone)
    model = make(soft, n_shards=n_shards, random_state=seed)
    if weights is not None and not weights[keep].any():
        if weights.any():
            model.fit(X, y, sample_weight=weights, sample_ids=ids)
            with pytest.raises(NotUnlearnableError):
                model.unlearn(gone)
        return
    model.fit(X, y, sample_weight=weights, sample_ids=ids)
    for request in requests:
        model.unlearn(request)
    oracle = refitted(model, X, y, ids, gone, weights)
    assert_same_state(model, oracle)
    assert_array_equal(model.predict(X), oracle.predict(X))
    if soft and hasattr(model, "predict_proba"):
        assert_array_equal(model.predict_proba(X), oracle.predict_proba(X))


@pytest.mark.parametrize("seed", [0, *MORE_SEEDS])
@pytest.mark.parametrize(
    "model",
    [
        SISAClassifier(LogisticRegression(), n_shards=3),
        SISAClassifier(LinearSVC(), n_shards=3, voting="hard"),
        SISAClassifier(make_pipeline(StandardScaler(), GaussianNB())),
        SISAClassifier(SISAClassifier(n_shards=2), n_shards=2),
        SISARegressor(KNeighborsRegressor(1)),
    ],
    ids=["logistic", "svc", "pipeline", "nested", "neighbours"],
)
def test_bases(model, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(90, 4)), rng.integers(0, 3, size=90)
    ids = np.arange(90)
    gone = rng.choice(90, size=20, replace=False)
    model.set_params(random_state=seed)
    model.fit(X, y).unlearn(gone[:1]).unlearn(gone[1:])
    oracle = refitted(model, X, y, ids, gone)
    assert_same_state_up_to_nested(model, oracle)
    assert_array_equal(model.predict(X), oracle.predict(X))


def assert_same_state_up_to_nested(model, oracle):
    if isinstance(model.estimator, SISAClassifier):
        for one, other in zip(model.estimators_, oracle.estimators_, strict=True):
            if isinstance(one, SISAClassifier):
                assert_same_state(one, other)
    else:
        assert_same_state(model, oracle)


@pytest.mark.parametrize("seed", [0, *MORE_SEEDS])
def test_parallel_gives_the_same_bits(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(60, 3)), rng.integers(0, 2, size=60)
    model = SISAClassifier(n_shards=4, n_jobs=2, random_state=seed).fit(X, y)
    model.unlearn([1, 2, 3, 4, 5, 6])
    oracle = SISAClassifier(n_shards=4, random_state=seed)
    keep = np.r_[0, 7:60]
    oracle.fit(X[keep], y[keep], sample_ids=keep)
    assert_same_state(model, oracle)


@pytest.mark.parametrize("seed", [0, *MORE_SEEDS])
def test_sparse_rows(seed):
    rng = np.random.default_rng(seed)
    X = sparse.random(80, 6, density=0.4, format="csc", random_state=seed)
    y = rng.integers(0, 2, size=80)
    model = SISAClassifier(random_state=seed).fit(X, y).unlearn(range(30))
    oracle = SISAClassifier(random_state=seed)
    oracle.fit(X.tocsr()[30:], y[30:], sample_ids=np.arange(30, 80))
    assert_same_state(model, oracle)
    found = model.find_samples(X.tocsr()[[5, 40]])
    assert 40 in found
    assert 5 not in found


def test_documents():
    texts = ["red wine", "white wine", "green tea", "black tea", "old wine", "ice tea"] * 5
    y = np.array(["w", "w", "t", "t", "w", "t"] * 5)
    base = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model = SISAClassifier(base, n_shards=2, random_state=0).fit(texts, y)
    model.unlearn([0, 7])
    keep = [i for i in range(30) if i not in (0, 7)]
    oracle = SISAClassifier(base, n_shards=2, random_state=0)
    oracle.fit([texts[i] for i in keep], y[keep], sample_ids=keep)
    assert_array_equal(model.predict_proba(texts), oracle.predict_proba(texts))
    assert model.predict(["wine"]).tolist() == ["w"]
    assert model.find_samples(["red wine"]).tolist() == [6, 12, 18, 24]


def test_several_outputs():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    model = SISARegressor(random_state=3).fit(X, y).unlearn(range(10))
    oracle = SISARegressor(random_state=3).fit(X[10:], y[10:], sample_ids=np.arange(10, 50))
    assert_same_state(model, oracle)
    assert model.predict(X).shape == (50, 2)
    assert model.find_samples(X[20:22], y[[20, 20]]).tolist() == [20]


@pytest.mark.fast
def test_a_vanished_class_vanishes():
    X = np.arange(40.0).reshape(-1, 1)
    y = np.array(["no", "yes"] * 19 + ["maybe", "maybe"])
    model = SISAClassifier(random_state=0).fit(X, y)
    assert model.classes_.tolist() == ["maybe", "no", "yes"]
    assert model.unlearn(38).classes_.tolist() == ["maybe", "no", "yes"]
    assert model.unlearn(39).classes_.tolist() == ["no", "yes"]
    assert model.predict_proba(X).shape == (40, 2)
    assert set(model.unlearn(range(0, 38, 2)).predict(X)) == {"yes"}


@pytest.mark.fast
def test_an_emptied_shard_is_left_out():
    X, y = np.arange(12.0).reshape(-1, 1), np.arange(12) % 2
    model = SISAClassifier(n_shards=3, random_state=1).fit(X, y, sample_ids=["a"] * 6 + ["b"] * 6)
    n_before = len(model.estimators_)
    model.unlearn("a")
    assert model.n_samples_per_shard_.sum() == 6
    assert len(model.estimators_) == 1 <= n_before
    report = model.unlearning_report_
    assert (report.n_refitted, report.n_parts) in {(0, 1), (1, 1)}
    assert_same_state(
        model,
        SISAClassifier(n_shards=3, random_state=1).fit(X[6:], y[6:], sample_ids=["b"] * 6),
    )


@pytest.mark.fast
def test_a_shard_of_one_class_needs_no_classifier_that_takes_one():
    X, y = np.arange(20.0).reshape(-1, 1), np.r_[np.zeros(19, int), 1]
    model = SISAClassifier(LogisticRegression(), random_state=0).fit(X, y)
    kinds = {type(e).__name__ for e in model.estimators_}
    assert kinds == {"DummyClassifier", "LogisticRegression"}
    model.unlearn(19)
    assert {type(e).__name__ for e in model.estimators_} == {"DummyClassifier"}
    assert_array_equal(model.predict_proba(X), np.ones((20, 1)))


@pytest.mark.fast
def test_only_the_shards_touched_are_refitted():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 2)), rng.integers(0, 2, size=100)
    model = SISAClassifier(n_shards=8, random_state=0).fit(X, y)
    before = list(model.estimators_)
    model.unlearn(17)
    changed = [one is not other for one, other in zip(before, model.estimators_, strict=True)]
    assert sum(changed) == 1
    report = model.unlearning_report_
    assert (report.part, report.n_refitted, report.n_parts) == ("shard", 1, 8)
    assert str(report.guarantee) == "bitwise (state)"
    assert get_unlearning_tags(model).kind == "bitwise"


@pytest.mark.fast
@pytest.mark.parametrize("seed", [0, *MORE_SEEDS])
def test_a_row_of_weight_zero_is_as_good_as_absent(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(40, 2)), rng.integers(0, 2, size=40)
    weights = rng.integers(0, 2, size=40).astype(float)
    held = weights > 0
    model = SISARegressor(random_state=0).fit(X, y, sample_weight=weights)
    oracle = SISARegressor(random_state=0)
    oracle.fit(X[held], y[held], sample_weight=weights[held], sample_ids=np.flatnonzero(held))
    assert_array_equal(model.predict(X), oracle.predict(X))
    before = model.estimators_
    model.unlearn(np.flatnonzero(~held)[:3])
    assert all(one is other for one, other in zip(before, model.estimators_, strict=True))
    assert model.unlearning_report_.n_refitted == 0


def test_refitting_uses_the_estimator_that_fit_used():
    X, y = np.arange(30.0).reshape(-1, 1), np.arange(30) % 3
    model = SISAClassifier(DecisionTreeClassifier(max_depth=2), random_state=5).fit(X, y)
    model.set_params(estimator__max_depth=1, n_shards=9, random_state=8)
    model.unlearn(range(10))
    oracle = SISAClassifier(DecisionTreeClassifier(max_depth=2), random_state=5)
    assert_same_state(model, oracle.fit(X[10:], y[10:], sample_ids=range(10, 30)))


def test_after_compaction_and_a_round_trip():
    import pickle

    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(200, 2)), rng.integers(0, 3, size=200)
    model = SISAClassifier(random_state=2).fit(X, y)
    model.unlearn(range(90))
    model = pickle.loads(pickle.dumps(model)).unlearn(range(90, 100)).purge().unlearn(150)
    keep = np.delete(np.arange(200), np.r_[:100, 150])
    oracle = SISAClassifier(random_state=2).fit(X[keep], y[keep], sample_ids=keep)
    assert_same_state(model, oracle)
