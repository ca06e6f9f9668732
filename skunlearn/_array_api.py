"""Arrays of other libraries than NumPy: the table stays where it is, the rest lives on the host.

Only what is as long and as wide as the training table stays in its namespace and on its device.
Targets, weights and all that a model knows of its rows are NumPy arrays on the host, whatever the
rows are, so that every kernel serves every namespace: a pass over the table is written against the
array API and brings a small result to the host; a request gathers the rows it is about.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

_HOST = (np.ndarray, np.generic, list, tuple, str, type(None))


def is_foreign(array: Any) -> bool:
    """Tell whether an array belongs to another namespace of the array API than NumPy's."""
    if isinstance(array, _HOST):
        return False
    if hasattr(type(array), "__array_namespace__"):
        return True
    libraries = (sys.modules.get("cupy"), "ndarray"), (sys.modules.get("torch"), "Tensor")
    return any(lib is not None and isinstance(array, getattr(lib, kind)) for lib, kind in libraries)


def is_cupy(array: Any) -> bool:
    """Tell whether an array is one of CuPy, on a GPU."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(array, cupy.ndarray)


def namespace(array: Any) -> Any:
    """Return the namespace of an array: NumPy, or another's as `array_api_compat` completes it."""
    return np if isinstance(array, np.ndarray) else _compat().array_namespace(array)


def device_of(array: Any) -> Any:
    """Return the device of an array of another library."""
    return _compat().device(array)


def takes_writes(array: Any) -> bool:
    """Tell whether entries of an array can be overwritten."""
    compat = _compat()
    return compat.is_writeable_array(array) and not compat.is_lazy_array(array)


def _compat() -> Any:
    try:
        import array_api_compat
    except ImportError as error:
        raise ImportError(
            "Arrays of other libraries than NumPy need array_api_compat: "
            "pip install array-api-compat"
        ) from error
    return array_api_compat


def to_host(array: Any) -> Any:
    """Copy an array to the host; what is no array of another library is returned as it is."""
    if not is_foreign(array):
        return array
    if hasattr(array, "get"):  # CuPy
        return array.get()
    if hasattr(array, "detach"):  # PyTorch
        return array.detach().cpu().numpy().copy()
    return np.array(np.from_dlpack(array))


def to_device(values: np.ndarray, like: Any) -> Any:
    """Copy host values to where `like` is; a `like` of NumPy leaves them as they are."""
    if isinstance(like, np.ndarray):
        return values
    return namespace(like).asarray(values, device=device_of(like), copy=True)


def beside(values: np.ndarray, like: Any) -> Any:
    """Return host values in the dtype of other numbers, and where those are."""
    if is_foreign(like):
        return cast(to_device(values, like), like)
    return values.astype(like.dtype)


def cast(array: Any, like: Any) -> Any:
    """Convert an array to the dtype of another one of its namespace."""
    if isinstance(array, np.ndarray):
        return array.astype(like.dtype, copy=False)
    return namespace(array).astype(array, like.dtype, copy=False)


def affine(X: Any, coef: Any, intercept: Any) -> Any:
    """Return ``X @ coef.T + intercept`` for rows of any kind that a linear model takes."""
    turned = coef if coef.ndim == 1 else coef.T
    if not is_foreign(X):
        return X @ turned + intercept
    return namespace(X).matmul(X, turned) + intercept


def labels_of(scores: Any, classes: Any) -> Any:
    """Return the class of the largest score, or of one score per row, the second where positive.

    Classes that are held by NumPy give labels of NumPy.
    """
    if isinstance(scores, np.ndarray):
        codes = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(np.intp)
        return classes[codes]
    xp = namespace(scores)
    codes = xp.argmax(scores, axis=1) if scores.ndim == 2 else xp.astype(scores > 0, xp.int64)
    return xp.take(classes, codes, axis=0) if is_foreign(classes) else classes[to_host(codes)]
