"""scikit-learn's own checks, predict-only copies, and what stays in a pickle."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunlearn.ensemble import SISAClassifier, SISARegressor
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks


def expected_failures(estimator):
    """Repeated rows get ids, hence shards, of their own, which a weight does not."""
    if estimator.n_shards == 1:
        return {}
    reason = "without sample_ids a row repeated k times is k rows in k shards"
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


# The default instances are checked with all public estimators.
@parametrize_with_checks(
    [
        SISAClassifier(n_shards=1),
        SISAClassifier(LogisticRegression()),
        SISAClassifier(LinearSVC(), voting="hard"),
        SISARegressor(n_shards=1),
        SISARegressor(Ridge()),
    ],
    expected_failed_checks=expected_failures,
)
@pytest.mark.long  # the default base and a tree are tried with all other estimators
@pytest.mark.fast
def test_sklearn_compatible(estimator, check):
    check(estimator)


@parametrize_with_unlearning_checks(
    [
        SISAClassifier(LinearSVC(dual=True, max_iter=50), n_shards=2, voting="hard"),
        SISAClassifier(GaussianNB()),
        SISARegressor(random_state=0),
        SISARegressor(Ridge()),
    ]
)
@pytest.mark.long
def test_keeps_the_contract(estimator, check):
    check(estimator)


@pytest.mark.fast
def test_a_weight_is_a_repetition_under_one_id():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.integers(0, 2, size=40)
    weights = rng.integers(0, 4, size=40)
    repeated = np.repeat(np.arange(40), weights)
    one = SISARegressor(Ridge(), random_state=0).fit(X, y, sample_weight=weights)
    other = SISARegressor(Ridge(), random_state=0)
    other.fit(X[repeated], y[repeated], sample_ids=repeated)
    np.testing.assert_allclose(one.predict(X), other.predict(X), rtol=1e-9)


@pytest.mark.fast
def test_tags_are_those_of_the_base():
    for base in (DecisionTreeClassifier(), LogisticRegression(), HistGradientBoostingClassifier()):
        assert get_tags(SISAClassifier(base)).input_tags == get_tags(base).input_tags
    assert get_tags(SISAClassifier()).input_tags.allow_nan
    assert get_tags(SISARegressor()).target_tags.multi_output
    assert not get_tags(SISAClassifier()).target_tags.multi_output
    assert get_tags(SISAClassifier()).unlearning_tags.kind == "bitwise"


@pytest.mark.fast
def test_search_over_the_base_and_the_number_of_shards():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = (X[:, 0] > 0).astype(int)
    grid = {"n_shards": [1, 4], "estimator__max_depth": [1, 3]}
    search = GridSearchCV(SISAClassifier(DecisionTreeClassifier(), random_state=0), grid, cv=2)
    search.fit(X, y, sample_ids=[f"p{i}" for i in range(80)])
    assert search.best_score_ > 0.7
    assert search.best_estimator_.unlearn(["p3"]).sample_ids_.size == 79


@pytest.mark.fast
@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_predictor_holds_no_rows(voting):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 8))
    y = np.where(X[:, 0] > 0, "yes", "no")
    model = SISAClassifier(DecisionTreeClassifier(max_depth=2), voting=voting, random_state=0)
    model.fit(X, y, sample_ids=[f"person {i}" for i in range(3000)])
    predictor = model.to_predictor()
    np.testing.assert_array_equal(predictor.predict(X), model.predict(X))
    pickled = pickle.dumps(predictor)
    assert len(pickled) < 20_000 < len(pickle.dumps(model))
    assert b"person" not in pickled
    np.testing.assert_array_equal(pickle.loads(pickled).predict(X), model.predict(X))
    with pytest.raises(NotUnlearnableError, match="to_predictor"):
        predictor.unlearn("person 3")
    model.unlearn("person 3")
    np.testing.assert_array_equal(pickle.loads(pickled).predict(X), predictor.predict(X))


@pytest.mark.fast
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_canary_in_the_pickle(dtype):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)).astype(dtype), rng.normal(size=60)
    X[7] = canary = np.array([1234.5678, -8765.4321, 3.3333e9], dtype=dtype)
    y[7] = target = 98765.4321
    ids = np.array([f"person {i}" for i in range(60)], dtype=object)
    ids[7] = "canary bird"
    model = SISARegressor(random_state=0).fit(X, y, sample_ids=ids)
    traces = [canary.tobytes(), *(v.tobytes() for v in canary.astype(np.float64))]
    traces += [*(v.tobytes() for v in canary), np.float64(target).tobytes(), b"canary"]
    before = pickle.dumps(model)
    assert any(trace in before for trace in traces)
    model.unlearn("canary bird")
    after = pickle.dumps(model)
    assert not any(trace in after for trace in traces)
    for array in (model._samples.X, model._samples.y, model._samples.id_hashes()):
        assert not array[7].any()


@pytest.mark.fast
def test_clone_and_repr():
    model = SISAClassifier(LogisticRegression(), n_shards=3)
    assert clone(model).get_params()["estimator__C"] == 1.0
    assert "LogisticRegression" in repr(model)
    assert "bitwise" in model._repr_html_()
