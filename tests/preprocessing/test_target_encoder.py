import copy
import pickle
import warnings
from fractions import Fraction

import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import KFold

from skunlearn._kernels import exact_sums
from skunlearn._samples.strings import narrowed
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import Ridge
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import TargetEncoder
from skunlearn.preprocessing._target_sums import TargetSums
from tests.preprocessing.encoders import (
    TABLES,
    assert_same_values,
    numbers_as_objects,
    object_array,
    pandas_frame,
    pick,
    words,
)

SMOOTH = ("auto", 0.0, 5.0)


def numbers(rng, n):
    return rng.normal(size=n) * 10 + 3


def two(rng, n):
    return rng.integers(0, 2, n)


def three(rng, n):
    return rng.integers(0, 3, n)


def three_names(rng, n):
    return rng.choice(["blue", "green", "ultramarine"], n)


def two_objects(rng, n):
    return rng.choice(np.array(["no", "yes"], dtype=object), n)


TARGETS = (numbers, two, three, three_names, two_objects)


def assert_same_encoder(ours, namesake, rtol):
    """Compare encoders; with ``rtol=0`` bit for bit."""
    assert ours.target_type_ == namesake.target_type_
    assert_same_values(ours.classes_, namesake.classes_, "classes_")
    for a, b in zip(ours.categories_, namesake.categories_, strict=True):
        assert_same_values(a, b, "categories_")
    assert len(ours.encodings_) == len(namesake.encodings_)
    learnt = [[*model.encodings_, model.target_mean_] for model in (ours, namesake)]
    for a, b in zip(*learnt, strict=True):
        assert np.shape(a) == np.shape(b)
        assert type(a) is type(b)
        if rtol:
            assert_allclose(a, b, rtol=rtol, atol=rtol)
        else:
            assert_array_equal(a, b)


@pytest.mark.fast
@pytest.mark.parametrize("draw", TARGETS, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("smooth", SMOOTH)
def test_fit_and_transform_equal_scikit_learn_before_and_after(draw, smooth, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    make = TABLES[rng.integers(len(TABLES))]
    X, y = make(rng, 60), draw(rng, 60)
    ours = TargetEncoder(smooth=smooth)
    namesake = sklearn.preprocessing.TargetEncoder(smooth=smooth)
    kept = np.arange(60)
    ours.fit(X, y)
    for part in [[], *np.array_split(rng.permutation(60)[:45], 3)]:
        ours.unlearn(part)
        kept = np.setdiff1d(kept, part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few rows for so many classes
            namesake.fit(pick(X, kept), narrowed(y[kept]))
            again = TargetEncoder(smooth=smooth).fit(pick(X, kept), y[kept], sample_ids=kept)
        assert_same_encoder(ours, namesake, 1e-12)
        assert_same_encoder(ours, again, 0)
        assert_allclose(ours.transform(X), namesake.transform(X), rtol=1e-12, atol=1e-12)
        assert_array_equal(ours.transform(X), ours.to_predictor().transform(X))
        assert_array_equal(ours.get_feature_names_out(), namesake.get_feature_names_out())
    assert ours.unlearning_report_.guarantee.kind == "bitwise"


@given(st.data())
def test_law_for_any_rows_targets_ids_and_order(data):
    n = data.draw(st.integers(3, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    X = data.draw(st.sampled_from((object_array, numbers_as_objects)))(rng, n)
    draw = data.draw(st.sampled_from((*TARGETS, mostly_whole)))
    y, ids = draw(rng, n), rng.integers(0, max(2, n // 2), n)
    model = TargetEncoder(smooth=data.draw(st.sampled_from(SMOOTH)), random_state=3)
    retrained = copy.deepcopy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, sample_ids=ids)
        for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
            gone = outputs_without(model, [i]) if spread(model, i) else None
            model.unlearn([i, i])
            kept = np.isin(ids, model.sample_ids_)
            expected = None
            if gone is not None:
                expected = retrained.fit_transform(X[kept], y[kept], sample_ids=ids[kept])
            retrained.fit(X[kept], y[kept], sample_ids=ids[kept])
            assert_same_encoder(model, retrained, 0)
            if gone is not None and gone.shape == expected.shape:
                assert_array_equal(outputs_without(model, []), expected)
            model = pickle.loads(pickle.dumps(model)) if rng.random() < 0.3 else model


@pytest.mark.fast
@pytest.mark.parametrize("dtype", ["<U20", object])
@pytest.mark.parametrize("pickled", [True, False])
def test_names_of_classes_are_as_wide_as_those_of_a_refit(dtype, pickled):
    X, y = object_array(np.random.default_rng(0), 30), np.resize(["no", "yes", "ultramarine"], 30)
    model = TargetEncoder().fit(X, y.astype(dtype))
    model = pickle.loads(pickle.dumps(model)) if pickled else model
    for gone in ([0, 2], np.arange(5, 30, 3), [1, 4]):
        model.unlearn(gone)
        kept = model.sample_ids_
        again = TargetEncoder().fit(X[kept], y[kept].astype(dtype))
        assert_same_values(model.classes_, again.classes_, "classes_")
    assert model.classes_.dtype == (np.dtype("U3") if dtype == "<U20" else object)


def outputs_without(model, ids):
    samples = model._samples
    return model._outputs_at(samples.positions_without(samples.resolve(ids)[1]))


def spread(model, i):
    """Tell whether rows in more than one fold are left without an id."""
    samples = model._samples
    kept = samples.slots_without(samples.resolve([i])[1])
    return kept.size > 0 and np.unique(model._folds(kept, 5)).size > 1


def mostly_whole(rng, n):
    y = rng.integers(0, 4, n).astype(float)
    y[0] = 0.5
    return y


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e6, 1e12, 1e60])
def test_removed_outliers_leave_no_rounding_error(size, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = words(rng, 200)[:, None], rng.normal(size=200)
    y[:30] *= size
    model = TargetEncoder(target_type="continuous").fit(X, y).unlearn(np.arange(30))
    assert_same_encoder(model, TargetEncoder().fit(X[30:], y[30:]), 0)
    assert_same_encoder(model, sklearn.preprocessing.TargetEncoder().fit(X[30:], y[30:]), 1e-12)


@pytest.mark.fast
def test_targets_become_classes_when_the_last_broken_number_goes():
    X = np.array([["a", "b", "a", "b", "a"]], dtype=object).T
    model = TargetEncoder().fit(X, [0.5, 1.0, 0.0, 1.0, 2.0])
    assert model.target_type_ == "continuous"
    assert model.unlearn(0).target_type_ == "multiclass"
    assert model.classes_.tolist() == [0.0, 1.0, 2.0]
    assert len(model.encodings_) == 3
    assert model.unlearn(4).target_type_ == "binary"
    assert model.unlearn(2).classes_.tolist() == [1.0]
    fixed = TargetEncoder(target_type="continuous").fit(X, [0.5, 1.0, 0.0, 1.0, 2.0])
    assert fixed.unlearn(0).target_type_ == "continuous"
    three = TargetEncoder(target_type="multiclass").fit(X, [0, 1, 2, 1, 1])
    with pytest.raises(NotUnlearnableError, match="three classes"):
        three.unlearn(2)


@pytest.mark.fast
def test_classes_from_a_list_are_as_wide_as_the_longest_left():
    X = np.array([["a", "b", "a", "b"]], dtype=object).T
    labels = ["x", "y", "long", "z"]
    model = TargetEncoder().fit(X, labels).unlearn(2)
    assert model.classes_.dtype == np.array(["x", "y", "z"]).dtype


@pytest.mark.fast
@pytest.mark.parametrize("draw", TARGETS, ids=lambda draw: draw.__name__)
def test_cross_fitting_encodes_rows_by_the_other_folds(draw, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = object_array(rng, 80), draw(rng, 80)
    ids = rng.integers(0, 60, 80)
    model = TargetEncoder(cv=3, random_state=global_random_seed)
    encoded = model.fit_transform(X, y, sample_ids=ids)
    folds = model._folds(np.arange(80), 3)
    assert set(folds) == {0, 1, 2}
    for fold in range(3):
        others = TargetEncoder(
            categories=[list(known) for known in model.categories_], target_type=model.target_type_
        ).fit(X[folds != fold], y[folds != fold])
        if y.dtype.kind in "UO" or model.target_type_ != "continuous":
            assert_array_equal(others.classes_, model.classes_)
        assert_array_equal(encoded[folds == fold], others.transform(X[folds == fold]))
    assert_same_encoder(model, TargetEncoder().fit(X, y), 0)


@pytest.mark.fast
def test_rows_stay_in_their_folds_when_others_go_or_come_in_another_order(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = object_array(rng, 60), numbers(rng, 60)
    ids = np.array([f"person {i}" for i in rng.integers(0, 40, 60)])
    encoder = TargetEncoder(random_state=1).fit(X, y, sample_ids=ids)
    folds = encoder._folds(np.arange(60), 5)
    kept = np.flatnonzero(~np.isin(ids, ids[:7]))
    encoder.unlearn(np.unique(ids[:7]))
    assert_array_equal(encoder._folds(kept, 5), folds[kept])
    order = np.argsort(ids, kind="stable")
    other = TargetEncoder(random_state=1).fit(X[order], y[order], sample_ids=ids[order])
    assert_array_equal(other._folds(np.arange(60), 5), folds[order])
    repeated = TargetEncoder(random_state=1).fit(X, y, sample_ids=["one"] * 60)
    assert np.unique(repeated._folds(np.arange(60), 5)).size > 1


@pytest.mark.fast
def test_pipelines_are_fitted_on_what_fit_transform_gives(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y, ids = object_array(rng, 60), numbers(rng, 60), np.arange(100, 160)
    steps = TargetEncoder(random_state=5), Ridge()
    pipe = make_pipeline(*copy.deepcopy(steps)).fit(X, y, sample_ids=ids)
    pipe.unlearn([103, 140])
    kept = ~np.isin(ids, [103, 140])
    again = make_pipeline(*steps).fit(X[kept], y[kept], sample_ids=ids[kept])
    assert_allclose(pipe[-1].coef_, again[-1].coef_, rtol=1e-9)
    assert_allclose(pipe.predict(X[kept]), again.predict(X[kept]), rtol=1e-9)


@pytest.mark.fast
def test_given_categories_and_frames(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = words(rng, 40)[:, None], numbers(rng, 40)
    listed = [["blue", "green", "red", "ultramarine", "violet"]]
    ours = TargetEncoder(categories=listed).fit(X, y).unlearn(range(30))
    namesake = sklearn.preprocessing.TargetEncoder(categories=listed).fit(X[30:], y[30:])
    assert_same_encoder(ours, namesake, 1e-12)
    assert_allclose(ours.transform(X), namesake.transform(X), rtol=1e-12)
    part = TargetEncoder(categories=[["blue", "red"]], smooth=0.0).fit(X, y)
    for word, encoding in zip(["blue", "red"], part.encodings_[0], strict=True):
        rows = X[:, 0] == word
        assert_allclose(encoding, y[rows].mean() if rows.any() else y.mean(), rtol=1e-12)
    strange = ~np.isin(X[:, 0], ["blue", "red"])
    assert_allclose(part.transform(X)[strange], y.mean(), rtol=1e-12)
    frame = pandas_frame(rng, 40)
    frame.index = [f"row {i}" for i in range(40)]
    encoder = TargetEncoder().set_output(transform="pandas").fit(frame, y)
    encoder.unlearn("row 3")
    assert list(encoder.transform(frame)) == list(frame)
    assert list(outputs_without(encoder, ["row 4"])) == list(frame)
    assert "row 5" in encoder.find_samples(frame.iloc[[5]], y[[5]])


@pytest.mark.fast
def test_what_cannot_be_is_refused():
    X, y = np.array([["a"], ["b"], ["a"]], dtype=object), [0.5, 1.5, 2.5]
    for cv in (KFold(2), [([0], [1, 2])]):
        with pytest.raises(ValueError, match="by their position"):
            TargetEncoder(cv=cv).fit(X, y)
    with pytest.raises(ValueError, match="position of rows"):
        TargetEncoder(shuffle=False).fit(X, y)
    with pytest.raises(ValueError, match="Unknown label type"):
        TargetEncoder().fit(X, [[0, 1], [1, 0], [1, 1]])
    with pytest.raises(ValueError, match="at most two classes"):
        TargetEncoder(target_type="binary").fit(X, [0, 1, 2])
    with pytest.raises(ValueError, match="Rescale y"):
        TargetEncoder(target_type="continuous").fit(X, [0.5, 1e200, 2.5])
    with pytest.raises(ValueError, match="into one of 5 folds"):
        TargetEncoder(random_state=0).fit_transform(X[:1], y[:1])
    with pytest.warns(DataConversionWarning):
        TargetEncoder().fit(X, np.array([[0], [1], [0]]))
    assert TargetEncoder(shuffle="deprecated", random_state="deprecated").fit(X, y)


@given(
    st.lists(
        st.floats(-1e140, 1e140).filter(lambda value: value == 0 or abs(value) > 1e-140),
        min_size=1,
        max_size=12,
    )
)
def test_sums_are_exact(values):
    y = np.array(values)
    sums = TargetSums(np.zeros((y.size, 1), dtype=np.intp), y, 1)
    total = sum(map(Fraction, values))
    scatter = sum(Fraction(value) ** 2 for value in values) - total**2 / y.size
    assert_allclose(sums.totals[0, 0], float(total), rtol=3e-16)
    square = float(sum(Fraction(value) ** 2 for value in values))
    assert_allclose(sums.scatters[0, 0], float(scatter), rtol=1e-15, atol=1e-30 * square)
    taken = sums.taking(np.zeros((y.size, 1), dtype=np.intp), y)
    assert not any(digits.any() for digits in taken.digits)


def test_kernels_equal_their_python_functions(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    y = rng.normal(size=20) * 10.0 ** rng.integers(-9, 9, 20)
    positions = rng.integers(-1, 3, (20, 2)).astype(np.intp)
    lowest = np.array([-4, -8])
    made = []
    for kernel in (exact_sums.add_rows, exact_sums.add_rows.py_func):
        sums, squares = np.zeros((3, 7), dtype=np.int64), np.zeros((3, 12), dtype=np.int64)
        kernel(sums, squares, lowest, positions, y, 1)
        made.append((sums, squares))
    assert_array_equal(made[0][0], made[1][0])
    assert_array_equal(made[0][1], made[1][1])
    count = np.bincount(positions[positions >= 0], minlength=3)
    arguments = (*made[0], lowest, count, np.arange(3))
    for a, b in zip(
        exact_sums.sums_and_scatters(*arguments),
        exact_sums.sums_and_scatters.py_func(*arguments),
        strict=True,
    ):
        assert_array_equal(a, b)
