"""The only file that imports scikit-learn's private names."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import _fit_context as fit_context
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.utils._param_validation import HasMethods, Interval, Options, RealNotInt, StrOptions
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y
from sklearn.utils.validation import _num_samples as num_samples


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


def callback_context(estimator: Any) -> Any:
    """Return the callback context of what an estimator is doing; `NoCallbacks` outside of one."""
    return estimator.__dict__.get("_callback_fit_ctx") or NoCallbacks()


def with_loss(regressor: Any) -> Any:
    """Give a fitted generalised linear model of scikit-learn the loss that its `score` uses."""
    regressor._base_loss = regressor._get_loss()
    return regressor


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
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "RealNotInt",
    "StrOptions",
    "callback_context",
    "check_sample_weight",
    "check_y",
    "fit_context",
    "num_samples",
    "search_buffers",
    "text_vectorizer",
    "with_callbacks",
    "with_loss",
]
