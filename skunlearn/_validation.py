"""Validation of what users pass, whichever library holds it.

Rows that NumPy can hold go to scikit-learn. Arrays of other namespaces stay where they are,
whatever scikit-learn's `array_api_dispatch` says, and are refused where they would have to be
converted.
"""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import sklearn.utils.validation
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length

from skunlearn import _compat
from skunlearn._array_api import device_of, is_foreign, namespace, takes_writes, to_host
from skunlearn._compat import check_y
from skunlearn._samples.device_table import DeviceTable
from skunlearn._samples.strings import narrowed

_ABSENT = "no_validation"

# Products of smaller weights would lose digits where float64 gradually ends.
_LEAST_TOTAL = 1e-300

# Named here for an error message: to look for them would load the whole package.
_TAKE_ARRAYS = (
    "ElasticNet",
    "GammaRegressor",
    "GaussianNB",
    "KernelRidge",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "Pipeline",
    "PoissonRegressor",
    "Ridge",
    "RidgeClassifier",
    "StandardScaler",
    "TweedieRegressor",
)


def validate_data(
    estimator: Any, X: Any = _ABSENT, y: Any = _ABSENT, *, reset: bool = True, **checks: Any
) -> Any:
    """Validate as scikit-learn does; see :func:`sklearn.utils.validation.validate_data`.

    Parameters
    ----------
    estimator : object
        Whose `n_features_in_` is set or compared.

    X : array-like of shape (n_samples, n_features)
        Rows; of another namespace than NumPy's where the estimator takes them.

    y : array-like, default="no_validation"
        Targets, of the same namespace and on the same device; a classifier's may be on the host.

    reset : bool, default=True
        Whether this is `fit`. If not, X must be of the kind that `fit` had.

    **checks : dict
        What scikit-learn's function takes.

    Returns
    -------
    X, y
        Validated; `y` on the host. Without `y`, X alone.

    Raises
    ------
    TypeError
        If arrays of several namespaces or devices come together, or `estimator` works on NumPy
        arrays only.
    """
    held = None if reset else estimator.__dict__.get("_samples")
    if held is not None:
        _check_same_kind(estimator, X, held.X)
    if is_foreign(X):
        return _validate_arrays(estimator, X, y, reset, **checks)
    if is_foreign(y):
        raise _mixture(estimator, "y", y, X)
    checked = sklearn.utils.validation.validate_data(estimator, X, y, reset=reset, **checks)
    return tuple(map(_plain, checked)) if isinstance(checked, tuple) else _plain(checked)


def _plain(values: Any) -> Any:
    """Return validated rows or targets in the byte order of this machine, strings narrowed."""
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, np.dtype) and not dtype.isnative:
        values = values.astype(dtype.newbyteorder("="))
    return narrowed(values)


def check_array(estimator: Any, X: Any, **checks: Any) -> Any:
    """Validate rows that need not have the columns of `fit`, only their kind."""
    _check_same_kind(estimator, X, estimator._samples.X if "_samples" in vars(estimator) else None)
    if is_foreign(X):
        return _rows(estimator, X, **checks)
    return sklearn.utils.validation.check_array(X, estimator=estimator, **checks)


def check_visitors(estimator: Any, X: Any) -> Any:
    """Validate rows of CuPy that a model of NumPy arrays goes to see.

    Returns
    -------
    X : cupy.ndarray of shape (n_samples, n_features), float32
        Where it was; missing values are NaN.
    """
    _rows(estimator, X, ensure_all_finite=False)
    xp = namespace(X)
    X = _rows(estimator, xp.astype(X, xp.float32, copy=False), ensure_all_finite="allow-nan")
    sklearn.utils.validation.validate_data(estimator, X, reset=False, skip_check_array=True)
    return X


class NotFinite(ValueError):
    """What was fitted is no model, since numbers on the way to it overflowed."""


def refuse_overflow(estimator: Any, *fitted: Any) -> None:
    """Raise `NotFinite` unless all fitted numbers are finite."""
    for values in fitted:
        is_finite = isfinite(values) if isinstance(values, float) else np.isfinite(values).all()
        if not is_finite:
            raise NotFinite(
                f"No {type(estimator).__name__} can be fitted on these rows: values of X, y or "
                "sample_weight are so large, or so small, that the result is not finite. Scale "
                "them first."
            )


def check_weights(estimator: Any, sample_weight: Any, X: Any, **checks: Any) -> np.ndarray | None:
    """Validate weights of validated rows X.

    Returns
    -------
    weights : ndarray of shape (n_samples,), float64, or None
        On the host, with no more digits than X unless `checks` names a dtype.
    """
    if sample_weight is None:
        return None
    if is_foreign(X):
        if not isinstance(sample_weight, Real):
            sample_weight = host_companion(estimator, "sample_weight", sample_weight, X)
        X = np.empty((X.shape[0], 0), dtype=DeviceTable(X).dtype)
    elif is_foreign(sample_weight):
        raise _mixture(estimator, "sample_weight", sample_weight, X)
    checks = {"dtype": X.dtype} | checks
    return check_sample_weight(sample_weight, X, **checks).astype(np.float64)


def check_sample_weight(sample_weight: Any, X: Any, **checks: Any) -> np.ndarray:
    """Validate weights as scikit-learn does, and refuse what looks like ids or cannot be summed."""
    _refuse_ids(sample_weight)
    weights = _compat.check_sample_weight(sample_weight, X, **checks)
    with np.errstate(over="ignore"):
        total = float(np.abs(weights).sum(dtype=np.float64))
    if not _LEAST_TOTAL <= total < np.inf and total != 0.0:
        raise ValueError(
            f"The sum of sample_weight is {total:.3g} in absolute value, where products with it "
            f"are not exact. Scale sample_weight to a sum between {_LEAST_TOTAL} and 1e308."
        )
    return weights


def _refuse_ids(sample_weight: Any) -> None:
    """Raise if weights look like ids: ``fit(X, y, ids)`` would train on the ids as weights."""
    values = np.asarray(sample_weight)
    if values.ndim != 1 or values.size < 3:
        return
    if values.dtype.kind in "iu":
        first, last = int(values.min()), int(values.max())
        if last - first != values.size - 1 or np.bincount(values - first).max() > 1:
            return
        looks = f"every whole number from {first} to {last} once"
    elif values.dtype.kind in "USmM":
        looks = f"values of dtype {values.dtype}"
    else:
        return
    raise ValueError(
        f"sample_weight, the third argument of fit, holds {looks}, which look like ids. Pass ids "
        "by keyword: fit(X, y, sample_ids=ids). If they are weights, pass them as floats."
    )


def host_companion(estimator: Any, name: str, values: Any, X: Any) -> Any:
    """Bring an argument that has an entry per row of X to the host, if it came from where X is."""
    if is_foreign(values) != is_foreign(X) or (is_foreign(X) and _home(values) != _home(X)):
        raise _mixture(estimator, name, values, X)
    return to_host(values)


def _validate_arrays(
    estimator: Any,
    X: Any,
    y: Any,
    reset: bool,
    *,
    multi_output: bool = False,
    y_numeric: bool = False,
    **checks: Any,
) -> Any:
    refuse_arrays(estimator, X)
    if not takes_writes(X):
        raise TypeError(
            f"{_text(X)} cannot be written to, so removed rows could not be overwritten. Pass "
            "NumPy arrays (numpy.asarray), or arrays of a library whose arrays can."
        )
    X = _rows(estimator, X, **checks)
    sklearn.utils.validation.validate_data(estimator, X, y, reset=reset, skip_check_array=True)
    if isinstance(y, str) and y == _ABSENT:
        return X
    if is_foreign(y) or not is_classifier(estimator):
        y = host_companion(estimator, "y", y, X)
    y = check_y(y, multi_output=multi_output, y_numeric=y_numeric, estimator=estimator)
    check_consistent_length(np.empty((X.shape[0], 0)), y)
    return X, y


def _rows(
    estimator: Any, X: Any, *, ensure_all_finite: Any = True, copy: bool = False, **_: Any
) -> Any:
    """Check rows and bring them into float32 or float64."""
    xp, name = namespace(X), type(estimator).__name__
    if X.ndim != 2:
        raise ValueError(f"Expected 2D array, got {X.ndim}D array instead: X has shape {X.shape}.")
    for what, number in zip(("sample", "feature"), X.shape, strict=True):
        if not number:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={tuple(X.shape)}) while a minimum of 1 is "
                f"required by {name}."
            )
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"Complex data not supported: X has dtype {X.dtype}.")
    if hasattr(X, "detach"):  # PyTorch would keep what rows were computed from
        X = X.detach()
    if X.dtype not in (xp.float32, xp.float64):
        X, copy = xp.astype(X, xp.float64), False
    if ensure_all_finite is True and xp.any(xp.isnan(X)):
        raise ValueError(f"Input X contains NaN. {name} does not accept it.")
    if ensure_all_finite and xp.any(xp.isinf(X)):
        raise ValueError(f"Input X contains infinity. {name} does not accept it.")
    return xp.asarray(X, copy=True) if copy else X


def _check_same_kind(estimator: Any, X: Any, held: Any) -> None:
    """Raise unless X is of the kind of the rows that an estimator holds."""
    if isinstance(held, DeviceTable):
        if not is_foreign(X) or _home(X) != _home(held.array):
            raise TypeError(
                f"{type(estimator).__name__} was fitted on {_text(held.array)} and got "
                f"{_text(X)} as X. Move X to where the model is, or use to_predictor() for NumPy."
            )
    elif is_foreign(X) and held is not None:
        raise TypeError(
            f"{type(estimator).__name__} was fitted on {_text(np.empty(0))} and got {_text(X)} as "
            "X. Pass X as a NumPy array, or fit a model on such arrays."
        )


def _mixture(estimator: Any, name: str, values: Any, X: Any) -> TypeError:
    return TypeError(
        f"{type(estimator).__name__} got {_text(X)} as X and {_text(values)} as {name}. Bring "
        f"{name} to the library and device of X first."
    )


def refuse_arrays(estimator: Any, X: Any) -> None:
    """Raise if X is an array of another library than NumPy, which an estimator does not take."""
    if not is_foreign(X) or getattr(estimator, "_takes_arrays", False):
        return
    raise TypeError(
        f"{type(estimator).__name__} works on NumPy arrays and got {_text(X)}. Convert it first; "
        f"these work on arrays of other libraries: {', '.join(_TAKE_ARRAYS)}."
    )


def _home(array: Any) -> tuple[Any, Any]:
    return namespace(array), device_of(array)


def _text(array: Any) -> str:
    if not is_foreign(array):
        kind = type(array)
        if kind is np.ndarray:
            return "an array of NumPy"
        name = kind.__name__
        return f"a {name}" if kind.__module__ == "builtins" else f"a {name} of {kind.__module__}"
    library = type(array).__module__.partition(".")[0]
    return f"an array of {library} on {device_of(array)}"
