"""Rows in arrays of other libraries: the same models, nothing moved unasked, clear errors."""

from __future__ import annotations

import copy
import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import array_api_strict
import numpy as np
import pytest
import scipy
from sklearn.base import BaseEstimator, clone, is_classifier

from skunlearn import _array_api
from skunlearn._array_api import is_foreign, to_host
from skunlearn._samples import device_table
from skunlearn._samples.device_table import DeviceTable
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.kernel_ridge import KernelRidge
from skunlearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    TweedieRegressor,
)
from skunlearn.naive_bayes import GaussianNB
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils.discovery import all_estimators

ROOT = Path(__file__).parents[1]
PREDICTING = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")


class Place(NamedTuple):
    """A namespace, a device of it, and how to get there."""

    name: str
    put: Callable[[Any], Any]

    def holds(self, array):
        """Tell whether an array is here."""
        probe = self.put(np.zeros(1))
        same_device = _array_api.device_of(array) == _array_api.device_of(probe)
        return type(array) is type(probe) and same_device


def strict(device):
    return Place(
        f"strict-{device}",
        lambda values: array_api_strict.asarray(values, device=array_api_strict.Device(device)),
    )


def torch():
    import torch

    return Place("torch-cpu", lambda values: torch.asarray(np.array(values)))


def cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not cupy.is_available():
        pytest.skip("CuPy finds no CUDA device")
    return Place("cupy", cupy.asarray)


POSITIONS = {
    "strict": lambda: strict("device1"),
    "cupy": cupy,
}
if importlib.util.find_spec("torch"):
    POSITIONS["torch"] = torch


@pytest.fixture(params=POSITIONS)
def position(request):
    return POSITIONS[request.param]()


@pytest.fixture
def elsewhere():
    """A position that is neither NumPy nor the default device of its namespace."""
    return strict("device1")


MODELS = {
    "StandardScaler": StandardScaler(),
    "Ridge": Ridge(alpha=0.3),
    "Ridge without intercept": Ridge(fit_intercept=False),
    "LinearRegression": LinearRegression(),
    "Lasso": Lasso(alpha=0.05),
    "ElasticNet": ElasticNet(alpha=0.05),
    "RidgeClassifier": RidgeClassifier(),
    "GaussianNB": GaussianNB(),
    "LogisticRegression": LogisticRegression(C=0.7),
    "LogisticRegression, balanced": LogisticRegression(class_weight="balanced"),
    "LogisticRegression, bounded": LogisticRegression(unlearning="bounded", bound_budget=10.0),
    "LogisticRegression, newton": LogisticRegression(unlearning="newton", bound_budget=10.0),
    "PoissonRegressor": PoissonRegressor(alpha=0.1),
    "GammaRegressor": GammaRegressor(alpha=0.1),
    "TweedieRegressor": TweedieRegressor(power=1.5, alpha=0.1, fit_intercept=False),
    "TweedieRegressor, normal": TweedieRegressor(alpha=0.1),
    "KernelRidge": KernelRidge(),
    "KernelRidge, rbf": KernelRidge(kernel="rbf", alpha=0.1),
    "Scaler, Logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "Scaler, Ridge": make_pipeline(StandardScaler(), Ridge()),
}


@pytest.fixture(params=MODELS)
def model(request):
    return clone(MODELS[request.param])


def rows(model, seed=0, dtype=np.float64, n_samples=60, n_features=4):
    """Make rows, targets and weights that a model takes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) * [1.0, 3.0, 0.2, 10.0] + [5.0, 0.0, -2.0, 100.0]
    y = (X - X.mean(axis=0)) @ [1.0, -0.5, 2.0, 0.1] + rng.normal(size=n_samples)
    weight = rng.uniform(0.5, 2.0, n_samples).astype(dtype)
    if is_classifier(model):
        return X.astype(dtype), np.where(y > 0, 7, 3), weight
    if isinstance(model, PoissonRegressor | GammaRegressor | TweedieRegressor):
        X, y = X / 50.0, np.exp(y / 5.0)
    if isinstance(model, KernelRidge):
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X.astype(dtype), y.astype(dtype), weight


def steps(model):
    return [step for _, step in getattr(model, "steps", [("", model)])]


def fitted(model):
    """List a model's fitted attributes, those of its steps included."""
    return [
        (f"{type(step).__name__}.{name}", value)
        for step in steps(model)
        for name, value in vars(step).items()
        if name[-1] == "_" and name[0] != "_" and name != "unlearning_report_"
    ]


def assert_alike(there, here, X, put, *, rtol=1e-12, holds=None):
    """Compare a model elsewhere with one of NumPy: attributes and what it predicts."""
    for (name, value), (_, expected) in zip(fitted(there), fitted(here), strict=True):
        if isinstance(expected, np.ndarray) and expected.dtype.kind == "f":
            assert is_foreign(value), name
            assert holds is None or holds(value), name
        if not isinstance(expected, str | type(None)):
            np.testing.assert_allclose(to_host(value), expected, rtol=rtol, atol=rtol, err_msg=name)
        assert np.asarray(to_host(value)).dtype == np.asarray(expected).dtype, name
    for name in PREDICTING:
        if hasattr(here, name):
            value, expected = getattr(there, name)(put(X)), getattr(here, name)(X)
            assert is_foreign(value), name
            assert holds is None or holds(value), name
            np.testing.assert_allclose(
                to_host(value), expected, rtol=10 * rtol, atol=10 * rtol, err_msg=name
            )
            assert to_host(value).dtype == expected.dtype


@pytest.mark.fast
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_same_model_as_numpy(position, model, dtype, rtol):
    X, y, _ = rows(model, dtype=dtype)
    there, here = clone(model).fit(position.put(X), position.put(y)), model.fit(X, y)
    assert_alike(there, here, X, position.put, rtol=rtol, holds=position.holds)
    for request in (7, [3, 59], list(range(20, 50))):
        there.unlearn(request)
        here.unlearn(request)
        assert_alike(there, here, X, position.put, rtol=rtol, holds=position.holds)
    kinds = [m.unlearning_report_.guarantee.kind for m in (there, here)]
    assert kinds[0] == kinds[1]


def test_weights(position, model):
    if hasattr(model, "steps"):
        model = model[-1]
    X, y, weight = rows(model)
    there = clone(model).fit(position.put(X), position.put(y), position.put(weight)).unlearn([1, 5])
    here = model.fit(X, y, weight).unlearn([1, 5])
    assert_alike(there, here, X, position.put, holds=position.holds)


@pytest.mark.parametrize("seed", range(2))
def test_law(elsewhere, model, seed):
    put = elsewhere.put
    X, y, _ = rows(model, seed=seed)
    keep = np.random.default_rng(seed).random(len(X)) < 0.6
    ids = np.array([f"row {position}" for position in range(len(X))])
    model.fit(put(X), put(y), sample_ids=ids).unlearn(ids[~keep])
    again = clone(model).fit(put(X[keep]), put(y[keep]), sample_ids=ids[keep])
    assert model.sample_ids_.tolist() == again.sample_ids_.tolist()
    rtol = 1e-8 if model.unlearning_report_.guarantee.kind == "numerical" else 0.1
    for (name, value), (_, expected) in zip(fitted(model), fitted(again), strict=True):
        if is_foreign(expected) and not name.endswith("n_iter_"):
            np.testing.assert_allclose(to_host(value), to_host(expected), rtol=rtol, err_msg=name)


def test_passes_in_blocks(elsewhere, model, monkeypatch):
    X, y, _ = rows(model)
    here = clone(model).fit(X, y).unlearn([0, 30])
    monkeypatch.setattr(device_table, "_BLOCK_BYTES", 8 * 4 * 7)
    there = model.fit(elsewhere.put(X), elsewhere.put(y)).unlearn([0, 30])
    assert_alike(there, here, X, elsewhere.put)


def test_rows_leave_no_trace(elsewhere, model):
    X, y, _ = rows(model, n_samples=200)
    model.fit(elsewhere.put(X), elsewhere.put(y))
    for request in (5, list(range(100, 190))):
        tables = [step._samples.X for step in steps(model)]
        model.unlearn(request)
        for step, table in zip(steps(model), tables, strict=True):
            assert isinstance(step._samples.X, DeviceTable)
            for held in (table, step._samples.X):
                held = to_host(held.array)
                assert not any(
                    np.isclose(held, row).all(axis=1).any() for row in np.atleast_2d(X[request])
                )


def test_a_request_fetches_little(elsewhere, model, monkeypatch):
    X, y, _ = rows(model, n_samples=3000)
    if isinstance(model, KernelRidge):
        X, y = X[:300], y[:300]
    model.fit(elsewhere.put(X), elsewhere.put(y)).unlearn(0)
    fetched, from_dlpack = [], np.from_dlpack

    def noting(array):
        fetched.append(array.size)
        return from_dlpack(array)

    monkeypatch.setattr(np, "from_dlpack", noting)
    model.unlearn(1)
    n_params = X.shape[1] + 1
    assert fetched
    assert max(fetched) <= (len(X) if isinstance(model, KernelRidge) else n_params**2)


def test_user_arrays_are_neither_changed_nor_shared(elsewhere, model):
    X, y, _ = rows(model)
    there, targets = elsewhere.put(X.copy()), elsewhere.put(y.copy())
    model.fit(there, targets)
    predicted = [to_host(getattr(model, n)(there)) for n in PREDICTING if hasattr(model, n)]
    model.unlearn([0, 1])
    np.testing.assert_array_equal(to_host(there), X)
    np.testing.assert_array_equal(to_host(targets), y)
    model = clone(model).fit(there, targets)
    there[...] = 0.0
    X = elsewhere.put(X)
    for name, expected in zip([n for n in PREDICTING if hasattr(model, n)], predicted, strict=True):
        np.testing.assert_array_equal(to_host(getattr(model, name)(X)), expected)


def test_find_samples(position, model):
    X, y, _ = rows(model)
    ids = np.arange(1000, 1000 + len(X))
    model.fit(position.put(X), position.put(y), sample_ids=ids).unlearn(1003)
    assert model.find_samples(position.put(X[[9, 3, 4]])).tolist() == [1004, 1009]
    if model._check_samples().y is not None:
        y = y.copy()
        y[9] += 1
        found = model.find_samples(position.put(X[[9, 4]]), position.put(y[[9, 4]]))
        assert found.tolist() == [1004]


def test_copies_and_pickles(elsewhere, model):
    X, y, _ = rows(model)
    model.fit(elsewhere.put(X), elsewhere.put(y)).unlearn(2)
    expected = copy.deepcopy(model).unlearn(5)
    for twin in (copy.copy(model), pickle.loads(pickle.dumps(model))):
        twin.unlearn(5)
        for (name, value), (_, other) in zip(fitted(twin), fitted(expected), strict=True):
            if is_foreign(other):
                assert elsewhere.holds(value)
                np.testing.assert_array_equal(to_host(value), to_host(other), err_msg=name)
    model.unlearn(7)
    assert model.unlearning_report_.n_remaining == len(X) - 2


def test_predictors_are_of_numpy(elsewhere, model):
    X, y, _ = rows(model)
    predictor = model.fit(elsewhere.put(X), elsewhere.put(y)).unlearn(2).to_predictor()
    assert not any(is_foreign(value) for _, value in fitted(predictor))
    for name in PREDICTING:
        if hasattr(predictor, name):
            expected = to_host(getattr(model, name)(elsewhere.put(X)))
            np.testing.assert_allclose(getattr(predictor, name)(X), expected, rtol=1e-12)


def test_score(elsewhere, model):
    if not hasattr(model, "score"):
        return
    X, y, _ = rows(model)
    there = clone(model).fit(elsewhere.put(X), elsewhere.put(y))
    expected = model.fit(X, y).score(X, y)
    assert there.score(elsewhere.put(X), elsewhere.put(y)) == pytest.approx(expected, rel=1e-12)
    if not is_classifier(model) and not hasattr(model, "steps"):
        with pytest.raises(TypeError, match=r"as y\. Bring y to the library and device of X"):
            there.score(elsewhere.put(X), y)


def test_all_or_nothing(elsewhere, model):
    X, y, _ = rows(model)
    model.fit(elsewhere.put(X), elsewhere.put(y))
    before = [(name, to_host(value)) for name, value in fitted(model) if is_foreign(value)]
    with pytest.raises(KeyError):
        model.unlearn([1, 10_000])
    with pytest.raises(NotUnlearnableError):
        model.unlearn(np.arange(len(X)))
    after = dict(fitted(model))
    for name, value in before:
        np.testing.assert_array_equal(to_host(after[name]), value)


@pytest.mark.fast
def test_fitted_elsewhere_refuses_numpy(elsewhere, model):
    X, y, _ = rows(model)
    model.fit(elsewhere.put(X), elsewhere.put(y))
    for other in (X, X.tolist(), strict("CPU_DEVICE").put(X)):
        for name in [*PREDICTING, "find_samples"]:
            if hasattr(model, name):
                with pytest.raises(
                    TypeError, match=r"was fitted on an array of array_api_strict on"
                ):
                    getattr(model, name)(other)


@pytest.mark.fast
def test_fitted_on_numpy_refuses_others(elsewhere, model):
    X, y, _ = rows(model)
    model.fit(X, y)
    for name in [*PREDICTING, "find_samples"]:
        if hasattr(model, name):
            with pytest.raises(
                TypeError, match=r"was fitted on an array of NumPy and got an array of array_api"
            ):
                getattr(model, name)(elsewhere.put(X))


@pytest.mark.fast
def test_rows_and_targets_must_be_in_one_place(elsewhere, model):
    X, y, weight = rows(model)
    there, near = elsewhere.put, strict("CPU_DEVICE").put
    mixtures = [(there(X), near(y)), (X, there(y))]
    if not is_classifier(model):
        mixtures.append((there(X), y))
    if isinstance(steps(model)[-1], StandardScaler):
        mixtures = []
    for mixture in mixtures:
        with pytest.raises(TypeError, match=r"got .* as X and .* as y\. Bring y"):
            clone(model).fit(*mixture)
    if not hasattr(model, "steps"):
        for mixture in ((there(X), there(y), weight), (X, y, there(weight))):
            with pytest.raises(TypeError, match=r"as sample_weight\. Bring sample_weight"):
                clone(model).fit(*mixture)


@pytest.mark.fast
def test_bad_rows(elsewhere, model):
    put = elsewhere.put
    X, y, _ = rows(model)
    fit = clone(model).fit
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        fit(put(X[:, 0]), put(y))
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        fit(put(X[:0]), put(y[:0]))
    with pytest.raises(ValueError, match="Found array with 0 feature"):
        fit(put(X[:, :0]), put(y))
    with pytest.raises(ValueError, match="Complex data not supported"):
        fit(put(X + 1j), put(y))
    infinite = X.copy()
    infinite[3, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        fit(put(infinite), put(y))
    model.fit(put(X), put(y))
    for name in PREDICTING:
        if hasattr(model, name):
            with pytest.raises(ValueError, match="X has 3 features, but"):
                getattr(model, name)(put(X[:, :3]))
    if not isinstance(model, StandardScaler):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            fit(put(X), put(y[:-1]))
        with pytest.raises(ValueError, match="Input X contains NaN"):
            steps(model)[-1].fit(put(np.where(np.isfinite(infinite), X, np.nan)), put(y))


def test_integers_become_floats(elsewhere, model):
    X, y, _ = rows(model)
    X = np.rint(X).astype(np.int64)
    there = clone(model).fit(elsewhere.put(X), elsewhere.put(y)).unlearn(3)
    assert_alike(there, model.fit(X, y).unlearn(3), X, elsewhere.put)


def test_scaler_passes_over_missing_values(elsewhere):
    X, _, weight = rows(StandardScaler())
    X[::7, 1] = np.nan
    put = elsewhere.put
    there = StandardScaler().fit(put(X), sample_weight=put(weight)).unlearn([0, 5])
    here = StandardScaler().fit(X, sample_weight=weight).unlearn([0, 5])
    assert_alike(there, here, X, put)
    outputs = here.transform(X)
    np.testing.assert_allclose(to_host(there.inverse_transform(put(outputs))), X, rtol=1e-12)


@pytest.mark.parametrize("model", [StandardScaler(), Ridge(), LinearRegression()])
def test_outliers_rebuild(elsewhere, model):
    X, y, _ = rows(model)
    X[7] *= 1e8
    put = elsewhere.put
    there = clone(model).fit(put(X), put(y)).unlearn(7)
    here = clone(model).fit(np.delete(X, 7, axis=0), np.delete(y, 7))
    assert_alike(there, here, np.delete(X, 7, axis=0), put, rtol=1e-9)
    assert there.unlearning_report_.n_refitted


@pytest.mark.fast
@pytest.mark.parametrize(
    ("name", "cls"), [(n, c) for n, c in all_estimators("unlearner") if not c._takes_arrays]
)
def test_the_others_refuse_and_name_those_that_do_not(elsewhere, name, cls):
    needed = {
        "estimator": Ridge(),
        "transformers": [("scale", StandardScaler(), [0])],
        "transformer_list": [("scale", StandardScaler())],
    }
    model = cls(**{k: v for k, v in needed.items() if k in signature(cls).parameters})
    X, y, _ = rows(Ridge())
    labels = elsewhere.put((y > 0).astype(np.int64))
    takes_rows = "y" in list(signature(cls.fit).parameters)[2:]
    arguments = (elsewhere.put(X), labels) if takes_rows else (labels,)
    with pytest.raises(TypeError, match=rf"{name} works on NumPy arrays .* StandardScaler"):
        model.fit(*arguments)


@pytest.mark.skipif(
    scipy.__version__.startswith(("1.12.", "1.13.")), reason="this SciPy dispatches no arrays"
)
def test_scikit_learns_own_check_while_it_dispatches():
    """Namespaces, devices, dtypes and values of public attributes and methods, and scores.

    scikit-learn wants to be told before SciPy is imported, hence the process of its own.
    """
    code = """
import sys
from sklearn.utils import estimator_checks
sys.path.insert(0, "tests")
from test_array_api import MODELS
public = lambda model: {k: v for k, v in model.__dict__.items() if k[0] != "_"}
estimator_checks.vars = public
for name in {"StandardScaler", "Ridge", "GaussianNB", "LogisticRegression", "KernelRidge"}:
    for dtype in ("float64", "float32"):
        estimator_checks.check_array_api_input_and_values(
            name, MODELS[name], "array_api_strict", "device1", dtype, check_sample_weight=True
        )
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCIPY_ARRAY_API": "1"}
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr


def test_an_older_version_of_the_standard(elsewhere, model):
    X, y, _ = rows(model)
    with array_api_strict.ArrayAPIStrictFlags(api_version="2023.12"):
        there = clone(model).fit(elsewhere.put(X), elsewhere.put(y)).unlearn([3, 4])
        assert_alike(there, model.fit(X, y).unlearn([3, 4]), X, elsewhere.put)


@pytest.mark.parametrize("model", ["Scaler, Logistic", "Scaler, Ridge"])
def test_pipelines_push_through_and_purge(position, model):
    there, here = clone(MODELS[model]), clone(MODELS[model])
    X, y, _ = rows(there)
    there.fit(position.put(X), position.put(y))
    here.fit(X, y)
    for request in (3, [7, 8]):
        there.unlearn(request)
        here.unlearn(request)
        assert [step.way for step in there.unlearning_report_.steps] == [
            "unlearned",
            "pushed through",
        ]
    again = clone(here).fit(np.delete(X, [3, 7, 8], axis=0), np.delete(y, [3, 7, 8]))
    assert_alike(there.purge(), here.purge(), X, position.put, holds=position.holds)
    np.testing.assert_allclose(to_host(there[-1].coef_), again[-1].coef_, rtol=1e-8)
    assert there.unlearn(9).unlearning_report_.n_remaining == len(X) - 4


def test_arrays_that_cannot_be_written_to(elsewhere, model, monkeypatch):
    X, y, _ = rows(model)
    monkeypatch.setattr("skunlearn._validation.takes_writes", lambda array: False)
    with pytest.raises(TypeError, match="cannot be written to, so removed rows could not be"):
        model.fit(elsewhere.put(X), elsewhere.put(y))


@pytest.mark.parametrize("cls", [GaussianNB, LogisticRegression, RidgeClassifier])
@pytest.mark.parametrize("kind", ["elsewhere", "text", "list"])
def test_labels(position, kind, cls):
    X, y, _ = rows(Ridge())
    y = np.digitize(y, [-3.0, 2.0]) * 10
    y[5] = 40
    labels = {"elsewhere": y, "text": y.astype(str), "list": y.tolist()}[kind]
    there = cls().fit(position.put(X), position.put(y) if kind == "elsewhere" else labels)
    here = cls().fit(X, labels)
    for request in ([1, 7], 5):  # the second takes the last row of a class
        there.unlearn(request)
        here.unlearn(request)
        assert is_foreign(there.classes_) == (kind == "elsewhere")
        np.testing.assert_array_equal(to_host(there.classes_), here.classes_)
        predicted = there.predict(position.put(X))
        assert is_foreign(predicted) == (kind == "elsewhere")
        np.testing.assert_array_equal(to_host(predicted), here.predict(X))
        if hasattr(here, "predict_proba"):
            chances = there.predict_proba(position.put(X))
            np.testing.assert_allclose(to_host(chances), here.predict_proba(X), rtol=1e-9)
    targets = position.put(y[:1]) if kind == "elsewhere" else labels[:1]
    assert there.find_samples(position.put(X[:1]), targets).tolist() == [0]
    assert there.score(position.put(X), labels) == here.score(X, labels)
    if cls is not LogisticRegression:
        return
    with pytest.raises(NotUnlearnableError, match="leave one class only"):
        there.unlearn(np.setdiff1d(np.flatnonzero(y < 20), [1, 7]))


@pytest.mark.parametrize("cls", [LogisticRegression, PoissonRegressor])
def test_certificates(position, cls):
    X, y, _ = rows(cls())
    model = cls(unlearning="bounded", bound_budget=10.0).fit(position.put(X), position.put(y))
    bounds = model.unlearn(np.arange(15)).prediction_bound(position.put(X))
    again = cls().fit(X[15:], y[15:])
    assert position.holds(bounds)
    moved = X @ np.ravel(to_host(model.coef_) - again.coef_)
    moved += np.ravel(to_host(model.intercept_) - again.intercept_)
    assert (np.abs(moved) <= to_host(bounds)).all()
    assert 0.0 < model.unlearning_report_.guarantee.bound < 1.0


@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly", "sigmoid", "cosine"])
def test_kernels(position, kernel):
    X, y, weight = rows(Ridge())
    X = (X - X.mean(axis=0)) / X.std(axis=0) / 3
    y = np.stack([y, -y * y], axis=1)
    model = KernelRidge(alpha=[0.5, 2.0], kernel=kernel, degree=2)
    there = clone(model).fit(position.put(X), position.put(y), position.put(weight))
    here = model.fit(X, y, weight)
    for request in (3, 9, [1, 50], 20, 21, 22, 23, list(range(25, 50))):
        there.unlearn(request)
        here.unlearn(request)
        assert_alike(there, here, X, position.put, rtol=1e-9, holds=position.holds)
        scopes = [m.unlearning_report_.guarantee.scope for m in (there, here)]
        assert scopes[0] == scopes[1]
    assert_alike(there.purge(), here.purge(), X, position.put, rtol=1e-9)
    assert there.unlearn(2).unlearning_report_.n_refitted == 0


def test_kernels_on_the_host_only(elsewhere):
    X, y, _ = rows(Ridge())
    for kernel in ("chi2", lambda a, b: a @ b):
        with pytest.raises(ValueError, match=r"needs NumPy arrays\. Kernels for arrays of other"):
            KernelRidge(kernel=kernel).fit(elsewhere.put(X), elsewhere.put(y))


def test_singular_kernel_matrix(elsewhere):
    X, y, _ = rows(Ridge())
    X[1] = X[0]
    with pytest.warns(UserWarning, match="not positive definite"):
        there = KernelRidge(alpha=0.0).fit(elsewhere.put(X), elsewhere.put(y))
    with pytest.warns(UserWarning, match="not positive definite"):
        here = KernelRidge(alpha=0.0).fit(X, y)
    np.testing.assert_allclose(to_host(there.predict(elsewhere.put(X))), here.predict(X), rtol=1e-6)


def test_every_estimator_that_takes_arrays_is_tested_here():
    able = {name for name, cls in all_estimators("unlearner") if cls._takes_arrays}
    assert able == {type(model).__name__ for model in MODELS.values()}


def test_what_is_foreign():
    assert not any(map(is_foreign, (np.eye(2), [[1.0]], None, "a", np.float64(1), BaseEstimator())))
    assert is_foreign(array_api_strict.ones(2))
