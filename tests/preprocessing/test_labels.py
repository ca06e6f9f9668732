import copy
import pickle

import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError
from skunlearn.preprocessing import LabelBinarizer, LabelEncoder
from tests.preprocessing.encoders import assert_same_values, words

MODELS = (
    LabelEncoder(),
    LabelBinarizer(),
    LabelBinarizer(neg_label=-1, pos_label=3),
    LabelBinarizer(sparse_output=True),
)


def names(rng, n):
    return words(rng, n)


def fixed_width(rng, n):
    return words(rng, n).astype(str)


def listed(rng, n):
    return words(rng, n).tolist()


def integers(rng, n):
    return rng.integers(-3, 3, n)


def whole_floats(rng, n):
    return rng.integers(-3, 3, n).astype(float)


def flags(rng, n):
    return rng.random(n) < 0.2


LABELS = (names, fixed_width, listed, integers, whole_floats, flags)


def pick(y, rows):
    return [y[row] for row in rows] if isinstance(y, list) else y[rows]


def namesake_of(model):
    return getattr(sklearn.preprocessing, type(model).__name__)(**model.get_params())


def assert_same(ours, namesake, y):
    assert_same_values(ours.classes_, namesake.classes_, "classes_")
    for name in ("y_type_", "sparse_input_"):
        if hasattr(namesake, name):
            assert getattr(ours, name) == getattr(namesake, name), name
    a, b = ours.transform(y), namesake.transform(y)
    assert type(a) is type(b)
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(*(v.toarray() if sparse.issparse(v) else v for v in (a, b)))
    assert_same_values(ours.inverse_transform(a), namesake.inverse_transform(b), "inverse")


@pytest.mark.fast
@pytest.mark.parametrize("draw", LABELS, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_equal_scikit_learn_before_and_after(model, draw, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    y = draw(rng, 40)
    ours, namesake = copy.deepcopy(model).fit(y), namesake_of(model).fit(y)
    assert_same(ours, namesake, y)
    kept = np.arange(40)
    for part in np.array_split(rng.permutation(40)[:37], 4):
        ours.unlearn(part)
        kept = np.setdiff1d(kept, part)
        left = pick(y, kept)
        assert_same(ours, namesake.fit(left), left)
        assert_same(ours.to_predictor(), namesake, left)
        np.testing.assert_array_equal(ours.sample_ids_, kept)
        if draw is fixed_width and isinstance(
            ours, LabelEncoder
        ):  # a slice keeps the width of the whole
            assert ours.classes_.dtype == y.dtype
    a, b = copy.deepcopy(model).fit_transform(y), namesake_of(model).fit_transform(y)
    np.testing.assert_array_equal(*(v.toarray() if sparse.issparse(v) else v for v in (a, b)))


@given(st.data())
def test_law_for_any_labels_ids_and_order(data):
    n = data.draw(st.integers(2, 20))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    y = data.draw(st.sampled_from((names, integers, flags)))(rng, n)
    ids = rng.integers(0, max(2, n // 2), n)
    model = copy.deepcopy(data.draw(st.sampled_from(MODELS))).fit(y, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        rows = model._samples.resolve(i)[1]
        view = model._after(model._unlearn(rows))
        left = y[np.isin(ids, model.sample_ids_) & (ids != i)]
        before = model.transform(left)
        keeps = model._keeps_outputs(view, rows)
        model.unlearn([i, i])
        assert_same(model, namesake_of(model).fit(left), left)
        after = model.transform(left)
        assert keeps == (before.shape == after.shape and abs(before - after).sum() == 0)
        out = model._outputs_at(np.arange(model._samples.n_samples))
        assert abs(out - after).sum() == 0


@pytest.mark.fast
@pytest.mark.parametrize("Model", [LabelEncoder, LabelBinarizer])
def test_requests_are_all_or_nothing_and_leave_nothing(Model):
    y = np.array(["b", "a", "nobody else has this", "b"], dtype=object)
    model = Model().fit(y, sample_ids=["p", "q", "r", "s"])
    assert model.find_samples(["b", "c"]).tolist() == ["p", "s"]
    before = pickle.dumps(model)
    with pytest.raises(UnknownSampleError):
        model.unlearn(["p", "z"])
    with pytest.raises(NotUnlearnableError, match="all 4"):
        model.unlearn(["p", "q", "r", "s"])
    assert pickle.dumps(model) == before
    model.unlearn("q")
    model.unlearn("r")
    assert b"nobody else" not in pickle.dumps(model)
    assert model.unlearning_report_.n_remaining == 2
    assert pickle.loads(pickle.dumps(model)).unlearn("p").classes_.tolist() == ["b"]
    assert model.sample_ids_.tolist() == ["p", "s"]


@pytest.mark.fast
@pytest.mark.parametrize("Model", [LabelEncoder, LabelBinarizer])
def test_the_index_of_a_series_provides_ids(Model):
    pd = pytest.importorskip("pandas")
    y = pd.Series([3, 1, 2], index=["x", "y", "z"])
    model = Model().fit(y)
    assert model.unlearn("y").classes_.tolist() == [2, 3]
    assert model.find_samples([2]).tolist() == ["z"]


@pytest.mark.fast
def test_what_cannot_be_is_refused():
    encoder = LabelEncoder().fit(["a", "b", "c"]).unlearn(1)
    with pytest.raises(ValueError, match="previously unseen labels"):
        encoder.transform(["a", "b"])
    with pytest.raises(ValueError, match="previously unseen labels"):
        encoder.inverse_transform([0, 2])
    assert encoder.transform([]).size == encoder.inverse_transform([]).size == 0
    with pytest.raises(ValueError, match="indicator matrix"):
        LabelBinarizer().fit([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="multilabel input"):
        LabelBinarizer().fit([0, 1, 2]).transform([[0, 1], [1, 1]])
    for parameters in ({"neg_label": 2}, {"sparse_output": True, "neg_label": -1}):
        with pytest.raises(ValueError, match="neg_label"):
            LabelBinarizer(**parameters).fit([0, 1])
    with pytest.raises(ValueError, match="Multioutput"):
        LabelBinarizer().fit([[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="0 samples"):
        LabelBinarizer().fit(np.array([], dtype=int))
