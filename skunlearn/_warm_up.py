"""The command `warm-up`: kernels are compiled and kept on disk before anybody waits for them."""

from __future__ import annotations

import inspect
import sys
import warnings
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils import get_tags

from skunlearn.utils.discovery import all_estimators

# More than any estimator's default needs, of quantiles and features to keep.
_N_ROWS, _N_FEATURES, _N_GONE = 1200, 12, 3


def warm_up() -> None:
    """Fit each kind of estimator on a small table, unlearn a row, and say how long it took."""
    started = perf_counter()
    classes = [cls for _, cls in all_estimators("unlearner") if _can_be_made(cls)]
    for number, cls in enumerate(classes, 1):
        print(f"{cls.__name__} ({number} of {len(classes)})", file=sys.stderr)
        _use(cls())
    seconds = perf_counter() - started
    print(f"Kernels of {len(classes)} estimators are compiled: {seconds:.0f} s.")


def _can_be_made(cls: type) -> bool:
    """Tell whether an estimator has a default for every parameter; others are made of these."""
    parameters = inspect.signature(cls).parameters.values()
    return not any(parameter.default is inspect.Parameter.empty for parameter in parameters)


def _use(estimator: Any) -> None:
    """Fit, predict or transform, and unlearn."""
    X, *y = _rows_for(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is learnt from numbers drawn at random is no matter
        estimator.fit(X, *y, sample_ids=[f"row {number}" for number in range(_N_ROWS)])
        for verb in ("predict", "transform"):
            if hasattr(estimator, verb):
                getattr(estimator, verb)(X)
        estimator.unlearn([f"row {number}" for number in range(_N_GONE)])


def _rows_for(estimator: Any) -> tuple[Any, ...]:
    """Draw rows and targets: counts, or texts for those that take these; or labels alone."""
    rng = np.random.default_rng(0)
    X: Any = rng.poisson(3.0, size=(_N_ROWS, _N_FEATURES)).astype(np.float64)
    y = X[:, 0] + rng.normal(size=_N_ROWS) ** 2
    if not is_regressor(estimator):
        y = (y > np.median(y)).astype(int)
    tags = get_tags(estimator)
    if tags.input_tags.string:
        X = [" ".join(f"word{number:.0f}" for number in row) for row in X]
    return (X, y) if tags.input_tags.two_d_array or tags.input_tags.string else (y,)
