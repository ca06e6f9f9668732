"""The only file that imports scikit-learn's private names."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import _fit_context as fit_context
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import MissingIndicator
from sklearn.utils import _metadata_requests
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._mask import _get_mask as missing_mask
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    MissingValues,
    Options,
    RealNotInt,
    StrOptions,
)
from sklearn.utils._set_output import _get_output_config, _wrap_data_with_container
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y
from sklearn.utils.validation import _get_feature_names as column_names
from sklearn.utils.validation import _num_samples as num_samples

# Releases before 1.9 ask how columns of the remainder are named; later ones name them as others.
_asked = inspect.signature(ColumnTransformer).parameters.get("force_int_remainder_cols")
FORCE_INT_REMAINDER_COLS = False if _asked is None or _asked.default is True else _asked.default


class NoCallbacks:
    """A callback context in which nobody listens."""

    def subcontext(self, *args: Any, **kwargs: Any) -> NoCallbacks:
        """Return the context of a subtask."""
        return self

    def call_on_fit_task_begin(self, **kwargs: Any) -> NoCallbacks:
        """Announce a task to nobody."""
        return self

    def call_on_fit_task_end(self, **kwargs: Any) -> None:
        """Announce the end of a task to nobody."""


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9
    # One name, two definitions: mypy cannot see that the import above failed.
    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand-in for scikit-learn releases without callbacks."""

        def set_callbacks(self, *callbacks: Any) -> Any:
            """Refuse callbacks, naming the release that has them."""
            if callbacks:
                raise ImportError("Callbacks need scikit-learn >= 1.9: pip install -U scikit-learn")
            return self

        def _init_callback_context(self, *args: Any, **kwargs: Any) -> NoCallbacks:
            return NoCallbacks()

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


def search_buffers(neighbors: Any) -> list[np.ndarray]:
    """Return every array in which a fitted nearest-neighbours estimator keeps training rows."""
    X = neighbors._fit_X
    arrays = [X.data, X.indices, X.indptr] if sparse.issparse(X) else [X]
    if neighbors._tree is not None:
        arrays += neighbors._tree.get_arrays()
    return [*arrays, neighbors._y]


try:
    from sklearn.utils import _align_api_if_sparse as align_sparse
except ImportError:  # scikit-learn < 1.9

    def align_sparse(X: Any) -> Any:
        """Turn a CSR array into the CSR matrix that transformers return."""
        return sparse.csr_matrix(X) if sparse.issparse(X) else X


def transform_container(estimator: Any) -> str:
    """Return the kind of container that `set_output` asks for."""
    return _get_output_config("transform", estimator=estimator)["dense"]


def callback_context(estimator: Any) -> Any:
    """Return the callback context of what an estimator is doing; `NoCallbacks` outside of one."""
    return estimator.__dict__.get("_callback_fit_ctx") or NoCallbacks()


def methods_with_metadata() -> tuple[list[str], ...]:
    """Return the lists of the methods to which scikit-learn routes metadata."""
    return _metadata_requests.SIMPLE_METHODS, _metadata_requests.METHODS


def wrap_output(transformer: Any, outputs: Any) -> Any:
    """Put outputs into the container that `set_output` asks for."""
    return _wrap_data_with_container("transform", outputs, outputs, transformer)


def with_loss(regressor: Any) -> Any:
    """Give a fitted generalised linear model of scikit-learn the loss that its `score` uses."""
    regressor._base_loss = regressor._get_loss()
    return regressor


def fitted_indicator(has_missing: np.ndarray, missing_values: Any) -> MissingIndicator:
    """Return the indicator of an imputer, fitted where each column has missing values or not."""
    indicator = MissingIndicator(missing_values=missing_values, error_on_new=False)
    indicator._fit(has_missing[np.newaxis], precomputed=True)
    return indicator


def text_vectorizer(cls: Any, params: dict[str, Any], fitted: dict[str, Any]) -> Any:
    """Make a vectorizer of scikit-learn that is fitted, if it is given attributes to be.

    Parameters
    ----------
    cls : type
        `CountVectorizer` or `TfidfVectorizer` of scikit-learn.

    params : dict
        Its parameters.

    fitted : dict
        `vocabulary_`, `fixed_vocabulary_` and perhaps `idf_`; it has checked its stop words then.
    """
    vectorizer = cls(**params)
    if fitted:
        vectorizer._stop_words_id = id(vectorizer.stop_words)
        vectorizer.vocabulary_ = fitted["vocabulary_"]
        vectorizer.fixed_vocabulary_ = fitted["fixed_vocabulary_"]
    if fitted and "norm" in params:
        names = ("norm", "use_idf", "smooth_idf", "sublinear_tf")
        weights = TfidfTransformer(**{name: params[name] for name in names})
        weights.n_features_in_ = len(fitted["vocabulary_"])
        if "idf_" in fitted:
            weights.idf_ = fitted["idf_"]
        vectorizer._tfidf = weights
    return vectorizer


__all__ = [
    "FORCE_INT_REMAINDER_COLS",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "MissingValues",
    "Options",
    "RealNotInt",
    "StrOptions",
    "align_sparse",
    "callback_context",
    "check_feature_names_in",
    "check_sample_weight",
    "check_y",
    "column_names",
    "fit_context",
    "fitted_indicator",
    "methods_with_metadata",
    "missing_mask",
    "num_samples",
    "safe_indexing",
    "search_buffers",
    "text_vectorizer",
    "transform_container",
    "with_callbacks",
    "with_loss",
    "wrap_output",
]
