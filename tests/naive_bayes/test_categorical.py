"""CategoricalNB: the law bit for bit, and categories that come and go."""

import inspect

import numpy as np
import pytest
import sklearn.naive_bayes
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from skunlearn.naive_bayes import CategoricalNB, _categorical

PRIVATE = ("_totals", "_counts")


def pairs(ours, namesake):
    if not isinstance(namesake, list):
        ours, namesake = [ours], [namesake]
    return zip(map(np.asarray, ours), map(np.asarray, namesake), strict=True)


def assert_bitwise(model, again):
    for name, value in vars(again).items():
        if name not in PRIVATE and not name.endswith("_"):
            continue
        for mine, other in pairs(getattr(model, name), value):
            assert (mine.dtype, mine.shape) == (other.dtype, other.shape), name
            assert mine.tobytes() == other.tobytes(), name


@pytest.mark.fast
@given(data=st.data())
def test_law(data):
    n_samples, n_features = data.draw(st.integers(2, 20)), data.draw(st.integers(1, 3))
    X = data.draw(arrays(np.int64, (n_samples, n_features), elements=st.integers(0, 5)))
    y = data.draw(arrays(np.int64, n_samples, elements=st.integers(0, 2)))
    weight = data.draw(st.none() | arrays(np.float64, n_samples, elements=st.floats(1e-9, 1e9)))
    least = data.draw(st.sampled_from([None, 3, [4] * n_features]))
    order = data.draw(st.permutations(range(n_samples)))
    gone = order[: data.draw(st.integers(1, n_samples - 1))]
    cut = data.draw(st.integers(0, len(gone)))
    model = CategoricalNB(min_categories=least).fit(X, y, weight)
    model.unlearn(gone[:cut]).unlearn(gone[cut:])
    X, y = np.delete(X, gone, axis=0), np.delete(y, gone)
    weight = None if weight is None else np.delete(weight, gone)
    again = CategoricalNB(min_categories=least).fit(X, y, weight)
    assert_bitwise(model, again)
    namesake = sklearn.naive_bayes.CategoricalNB(min_categories=least).fit(X, y, weight)
    np.testing.assert_array_equal(model.n_categories_, namesake.n_categories_)
    np.testing.assert_allclose(model.predict_proba(X), namesake.predict_proba(X), rtol=1e-9)


@pytest.mark.fast
def test_a_category_without_rows_vanishes():
    X, y = np.array([[0, 5], [1, 0], [2, 1], [9, 1]]), [0, 1, 0, 1]
    model = CategoricalNB().fit(X, y, sample_ids=["a", "b", "c", "d"])
    assert model.n_categories_.tolist() == [10, 6]
    model.unlearn("d")
    assert model.n_categories_.tolist() == [3, 6]
    with pytest.raises(IndexError, match="out of bounds"):
        model.predict([[9, 0]])
    assert [count.shape for count in model.category_count_] == [(2, 3), (2, 6)]
    assert_bitwise(model, CategoricalNB().fit(X[:3], y[:3]))
    kept = CategoricalNB(min_categories=[10, 1]).fit(X, y).unlearn(3)
    assert kept.n_categories_.tolist() == [10, 6]
    assert kept.predict([[9, 0]]).tolist() == [1]


@pytest.mark.fast
def test_a_category_of_weight_zero_stays_while_a_row_has_it():
    X, y, weight = np.array([[0], [3], [3], [1]]), np.array([0, 1, 1, 1]), np.array([1.0, 0, 2, 1])
    model = CategoricalNB().fit(X, y, weight).unlearn(2)
    assert model.n_categories_.tolist() == [4]
    assert_bitwise(model, CategoricalNB().fit(X[[0, 1, 3]], y[[0, 1, 3]], weight[[0, 1, 3]]))


@pytest.mark.fast
def test_rows_beyond_one_block(monkeypatch, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.integers(0, 7, (90, 3)), rng.integers(0, 3, 90)
    whole = CategoricalNB().fit(X, y)
    monkeypatch.setattr(_categorical, "_ROW_BLOCK", 8)
    assert_bitwise(CategoricalNB().fit(X, y), whole)
    assert_bitwise(whole.unlearn(range(30)), CategoricalNB().fit(X[30:], y[30:]))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"min_categories": [2.0, 3.0]}, "should have integral type"),
        ({"min_categories": [2, 3, 4]}, "shape"),
    ],
)
def test_bad_min_categories_get_scikit_learns_words(parameters, words):
    X, y = [[0, 1], [1, 0]], [0, 1]
    for Model in (CategoricalNB, sklearn.naive_bayes.CategoricalNB):
        with pytest.raises(ValueError, match=words):
            Model(**parameters).fit(X, y)


@pytest.mark.fast
def test_bad_input_is_refused():
    y = [0, 1]
    with pytest.raises(ValueError, match="Negative values in data passed to CategoricalNB"):
        CategoricalNB().fit([[0], [-1]], y)
    with pytest.raises(TypeError, match="parse"):
        CategoricalNB().fit(sparse.csr_array([[0], [1]]), y)
    model = CategoricalNB().fit([[0], [1]], y)
    with pytest.raises(ValueError, match="Negative values in data passed to CategoricalNB"):
        model.predict([[-1]])


@pytest.mark.fast
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("parameters", [{}, {"alpha": 0.0, "fit_prior": False}])
def test_same_model_as_scikit_learn(global_random_seed, weighted, parameters):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.integers(0, 4, (150, 3)), np.array(["no", "yes", "perhaps"])[rng.integers(0, 3, 150)]
    weight = rng.exponential(size=150) if weighted else None
    gone = np.flatnonzero(y == "perhaps")
    for rows in ([], gone):
        kept = np.delete(np.arange(150), rows)
        ours = CategoricalNB(**parameters).fit(X, y, weight).unlearn(rows)
        namesake = sklearn.naive_bayes.CategoricalNB(**parameters)
        namesake.fit(X[kept], y[kept], weight if weight is None else weight[kept])
        assert ours.classes_.dtype == namesake.classes_.dtype
        for name in (name for name in vars(namesake) if name.endswith("_")):
            for mine, other in pairs(getattr(ours, name), getattr(namesake, name)):
                if name == "classes_":
                    np.testing.assert_array_equal(mine, other)
                else:
                    np.testing.assert_allclose(mine, other, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(ours.predict_proba(X), namesake.predict_proba(X), rtol=1e-10)
        np.testing.assert_array_equal(ours.to_predictor().predict(X), namesake.predict(X))


@pytest.mark.fast
def test_parameters_are_scikit_learns():
    namesake = sklearn.naive_bayes.CategoricalNB
    assert CategoricalNB().get_params() == namesake().get_params()
    expected = [*inspect.signature(namesake.fit).parameters, "sample_ids"]
    assert list(inspect.signature(CategoricalNB.fit).parameters) == expected
