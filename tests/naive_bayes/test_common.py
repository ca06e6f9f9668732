"""What holds for all naive Bayes classifiers with an array of parameters per class."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn.naive_bayes
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError
from skunlearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from skunlearn.utils import get_unlearning_tags

MODELS = [GaussianNB, MultinomialNB, BernoulliNB, ComplementNB]
METHODS = ["predict_joint_log_proba", "predict_log_proba", "predict_proba"]
RTOL = dict.fromkeys(MODELS, 1e-12) | {GaussianNB: 1e-9}

all_models = pytest.mark.parametrize("Model", MODELS)


def namesake_of(Model):
    return getattr(sklearn.naive_bayes, Model.__name__)


def table(seed, n_samples=120, n_features=6, n_classes=3, labels="int"):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    X = rng.poisson(1.0 + y[:, None] * rng.random(n_features)) * 0.7
    names = np.array([f"class {'x' * c}" for c in range(n_classes)])
    y = {"int": y, "str": names[y], "object": names[y].astype(object), "float": y * 1.0}[labels]
    return X, y, rng


def assert_same_model(ours, namesake, rtol, X):
    assert ours.classes_.dtype == namesake.classes_.dtype
    np.testing.assert_array_equal(ours.classes_, namesake.classes_)
    for name in vars(namesake):
        if name.endswith("_") and name not in ("classes_", "feature_names_in_"):
            np.testing.assert_allclose(
                getattr(ours, name), getattr(namesake, name), rtol=rtol, atol=1e-13, err_msg=name
            )
    for method in METHODS:
        expected = getattr(namesake, method)(X)
        np.testing.assert_allclose(getattr(ours, method)(X), expected, rtol=rtol, atol=rtol)
    np.testing.assert_array_equal(ours.predict(X), namesake.predict(X))


@all_models
def test_parameters_are_scikit_learns(Model):
    assert Model().get_params() == namesake_of(Model)().get_params()
    ours = list(inspect.signature(Model.fit).parameters)
    assert ours == [*inspect.signature(namesake_of(Model).fit).parameters, "sample_ids"]
    assert inspect.signature(Model.fit).parameters["sample_ids"].kind == inspect._KEYWORD_ONLY


@pytest.mark.fast
@all_models
@pytest.mark.parametrize("labels", ["int", "str", "object", "float"])
@pytest.mark.parametrize("weighted", [False, True])
def test_same_model_as_scikit_learn(Model, global_random_seed, labels, weighted):
    X, y, rng = table(global_random_seed, labels=labels)
    weight = None
    if weighted:
        weight = rng.exponential(size=len(y))
        weight[::5] = 0.0
    ours, namesake = Model().fit(X, y, weight), namesake_of(Model)().fit(X, y, weight)
    assert_same_model(ours, namesake, RTOL[Model], X)
    rows = rng.choice(len(y), size=40, replace=False)
    ours.unlearn(rows)
    kept = np.delete(np.arange(len(y)), rows)
    namesake.fit(X[kept], y[kept], None if weight is None else weight[kept])
    assert_same_model(ours, namesake, RTOL[Model], X)


@all_models
@pytest.mark.parametrize(
    "dtype", ["f4", "i8", *(pytest.param(d, marks=pytest.mark.long) for d in ("i4", "u1", "?"))]
)
def test_other_dtypes_and_layouts(Model, dtype):
    X, y, _ = table(0)
    X = np.asfortranarray(X.astype(dtype))
    X.flags.writeable = False
    model = Model().fit(X, y)
    assert model._samples.X.dtype == X.dtype
    assert_same_model(
        model, namesake_of(Model)().fit(X.astype(np.float64), y), 1e-9, X.astype("f8")
    )
    model.unlearn([3, 5])
    again = Model().fit(np.delete(X, [3, 5], axis=0), np.delete(y, [3, 5]))
    np.testing.assert_allclose(model.predict_proba(X), again.predict_proba(X), rtol=1e-9)


@all_models
def test_one_class(Model):
    X, y, _ = table(0, n_classes=1)
    assert_same_model(Model().fit(X, y), namesake_of(Model)().fit(X, y), RTOL[Model], X)


@pytest.mark.fast
@all_models
@pytest.mark.parametrize("labels", ["int", "str", "object"])
def test_a_class_without_rows_vanishes(Model, labels):
    X, y, _ = table(0, labels=labels)
    classes = np.unique(y)
    rows = np.flatnonzero(y == classes[2])
    model = Model().fit(X, y)
    for part in np.array_split(rows, 3):
        model.unlearn(part)
    kept = y != classes[2]
    assert model.n_features_in_ == X.shape[1]
    assert_same_model(model, namesake_of(Model)().fit(X[kept], y[kept]), RTOL[Model], X)
    model.unlearn(np.flatnonzero(y == classes[0]))
    kept = y == classes[1]
    assert_same_model(model, namesake_of(Model)().fit(X[kept], y[kept]), RTOL[Model], X)


@pytest.mark.fast
@all_models
def test_a_class_of_weight_zero_stays_while_it_has_rows(Model):
    X, y, _ = table(0)
    weight = np.where(y == 1, 0.0, 1.5)
    weight[np.flatnonzero(y == 1)[0]] = 2.0
    model = Model().fit(X, y, weight)
    first, *others = np.flatnonzero(y == 1)
    model.unlearn(first)
    kept = np.delete(np.arange(len(y)), first)
    again = Model().fit(X[kept], y[kept], weight[kept])
    for name in (n for n in vars(again) if n.endswith("_")):
        np.testing.assert_array_equal(model.classes_, [0, 1, 2])
        np.testing.assert_allclose(
            getattr(model, name), getattr(again, name), rtol=1e-10, err_msg=name
        )
    model.unlearn(others)
    np.testing.assert_array_equal(model.classes_, [0, 2])


@pytest.mark.fast
@all_models
def test_only_rows_of_weight_zero_left_is_refused(Model):
    X, y, _ = table(0)
    weight = np.zeros(len(y))
    weight[[4, 9]] = 1.0
    model = Model().fit(X, y, weight)
    before = pickle.dumps(model)
    with pytest.raises(NotUnlearnableError, match="weight zero"):
        model.unlearn([4, 9])
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="at least one non-zero"):
        Model().fit(X, y, np.zeros(len(y)))


@pytest.mark.fast
@all_models
def test_given_priors_bar_a_class_from_vanishing(Model):
    X, y, _ = table(0)
    name = Model._prior_parameter
    model = Model(**{name: [0.2, 0.5, 0.3]}).fit(X, y)
    assert_same_model(model, namesake_of(Model)(**{name: [0.2, 0.5, 0.3]}).fit(X, y), 1e-9, X)
    before = pickle.dumps(model)
    with pytest.raises(NotUnlearnableError, match=f"{name} has 3 values for 2 classes"):
        model.unlearn(np.flatnonzero(y == 1))
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="must match number of classes"):
        Model(**{name: [0.5, 0.5]}).fit(X, y)


@all_models
def test_error_table(Model):
    X, y, _ = table(0)
    with pytest.raises(NotFittedError):
        Model().unlearn(0)
    with pytest.raises(NotFittedError):
        Model().predict_proba(X)
    model = Model().fit(X, y)
    model.unlearn(5)
    before = pickle.dumps(model)
    for request, error in [
        (5, UnknownSampleError),
        ([1, 500], UnknownSampleError),
        (model.sample_ids_, NotUnlearnableError),
        ([[1]], ValueError),
        (None, ValueError),
    ]:
        with pytest.raises(error):
            model.unlearn(request)
    assert pickle.dumps(model) == before


@all_models
def test_pickle_and_clone_forget_like_the_original(Model):
    X, y, _ = table(0)
    model = Model().fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    model.unlearn([3, 8])
    twin.unlearn(3)
    twin = pickle.loads(pickle.dumps(twin)).unlearn(8)
    np.testing.assert_array_equal(twin.sample_ids_, model.sample_ids_)
    np.testing.assert_allclose(twin.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    assert not hasattr(clone(model), "classes_")


@all_models
def test_to_predictor_is_scikit_learns_own(Model):
    X, y, _ = table(0)
    model = Model().fit(X, y).unlearn(range(10))
    predictor = model.to_predictor()
    assert type(predictor) is namesake_of(Model)
    np.testing.assert_allclose(predictor.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    assert not any(name.startswith("_") for name in vars(predictor))


@all_models
def test_frames_bring_their_ids_and_names(Model):
    X, y, _ = table(0)
    people = [f"p{i // 2}" for i in range(len(y))]
    frame = pd.DataFrame(X, index=people, columns=list("abcdef"))
    model = Model().fit(frame, pd.Series(y, index=people)).unlearn("p3")
    assert model.feature_names_in_.tolist() == list("abcdef")
    assert len(model.sample_ids_) == len(y) - 2
    kept = np.delete(np.arange(len(y)), [6, 7])
    again = namesake_of(Model)().fit(frame.iloc[kept], y[kept])
    np.testing.assert_allclose(model.predict_proba(frame), again.predict_proba(frame), rtol=1e-9)


@pytest.mark.fast
@all_models
def test_nothing_of_the_size_of_the_table_but_the_rows(Model):
    X, y, _ = table(0, n_samples=2000)
    model = Model().fit(X, y, np.ones(len(y)))
    model.unlearn(0)
    sizes = [v.size for v in vars(model).values() if isinstance(v, np.ndarray)]
    assert max(sizes) < 1000


@all_models
def test_attributes_are_no_views_of_private_arrays(Model):
    X, y, _ = table(0)
    model = Model().fit(X, y)
    public = {name: value for name, value in vars(model).items() if name.endswith("_")}
    copies = {name: np.copy(value) for name, value in public.items()}
    model.unlearn([1, 2, 3])
    for name, value in public.items():
        np.testing.assert_array_equal(value, copies[name], err_msg=name)


def test_promises():
    assert get_unlearning_tags(GaussianNB()).kind == "numerical"
    for Model in (MultinomialNB, BernoulliNB):
        tags = get_unlearning_tags(Model())
        assert (tags.kind, tags.scope) == ("bitwise", "state")
