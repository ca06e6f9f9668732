"""What all estimators refuse: ids in the place of weights, arrays of other libraries."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.validation import has_fit_parameter

from skunlearn import _validation
from skunlearn._validation import check_sample_weight, check_weights
from skunlearn.utils._checks.data import make_rows
from skunlearn.utils.discovery import all_estimators

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(5),
        np.arange(1, 6),
        [3, 1, 2, 0, 4],
        np.array([1003, 1001, 1002, 1005, 1004], dtype=np.uint16),
        [-2, 2, 0, 1, -1],
        ["ann", "bob", "cem", "dan", "eve"],
        np.arange(5).astype("M8[D]"),
        2**62 + np.arange(5),
    ],
    ids=repr,
)
def test_ids_in_the_place_of_weights_are_refused(ids):
    for check in (
        lambda: check_sample_weight(ids, np.eye(5)),
        lambda: check_weights(None, ids, np.eye(5)),
    ):
        with pytest.raises(ValueError, match=r"sample_ids=ids"):
            check()


@pytest.mark.parametrize(
    "weights",
    [
        np.arange(5.0),
        [1, 1, 1, 1, 1],
        [1, 2, 3, 4, 4],
        [1, 2, 3, 4, 6],
        [2, 2, 3, 4, 5],
        [True, False, True, True, False],
        np.full(5, 0.5),
        [0, 2**62, 1, 2, 3],
    ],
    ids=repr,
)
def test_weights_are_taken(weights):
    assert check_sample_weight(weights, np.eye(5)).tolist() == list(map(float, weights))


def test_two_weights_may_be_one_and_two():
    assert check_sample_weight([1, 2], np.eye(2)).tolist() == [1.0, 2.0]


def test_every_fit_that_takes_weights_refuses_ids():
    names = ("InfluenceUnlearner", "SISAClassifier")
    of_others = dict.fromkeys(names, LogisticRegression()) | {"SISARegressor": Ridge()}
    n_refused = 0
    for name, cls in all_estimators("unlearner"):
        if not has_fit_parameter(cls, "sample_weight"):
            continue
        model = cls(of_others[name]) if name in of_others else cls()
        rows = make_rows(model, 0)
        with pytest.raises(ValueError, match="sample_ids"):
            model.fit(rows.X, rows.y, np.random.default_rng(0).permutation(rows.ids.size))
        n_refused += 1
    assert n_refused > 15


def test_the_estimators_that_take_arrays_are_named():
    able = [
        name for name, cls in all_estimators("unlearner") if getattr(cls, "_takes_arrays", False)
    ]
    assert tuple(able) == _validation._TAKE_ARRAYS


def test_validation_does_not_load_the_whole_package():
    code = """
import sys
import skunlearn._validation as validation
class Array:
    def __array_namespace__(self): ...
    device = "abroad"
class Model: ...
sys.modules["array_api_compat"] = type(sys)("array_api_compat")
sys.modules["array_api_compat"].device = lambda array: array.device
try:
    validation.refuse_arrays(Model(), Array())
except TypeError as error:
    assert "Ridge" in str(error), error
else:
    raise AssertionError("not refused")
loaded = [name for name in sys.modules if name.startswith("skunlearn.")]
assert not [name for name in loaded if name.split(".")[1] in ("utils", "linear_model")], loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
