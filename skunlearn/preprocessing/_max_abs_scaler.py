"""MaxAbsScaler that forgets rows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.sparsefuncs import min_max_axis

from skunlearn._mixins.namesake import InverseMixin, NamesakeTransformer
from skunlearn._samples.tables import dense
from skunlearn._statistics.extremes import Extremes, least_of
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Removal

_NAMESAKE_CLIPS = "clip" in inspect.signature(sklearn.preprocessing.MaxAbsScaler).parameters


class MaxAbsScaler(InverseMixin, OneToOneFeatureMixin, NamesakeTransformer):
    """Scale each feature by its maximum absolute value, and forget rows.

    Same parameters, fitted attributes and output as :class:`sklearn.preprocessing.MaxAbsScaler`.
    A request looks at the removed rows only, O(k d), as long as none of them holds the largest
    value of a column; a column whose largest value leaves is read once, and the next ones are kept
    in a buffer.

    Parameters
    ----------
    copy : bool, default=True
        If False, try to transform in place.

    clip : bool, default=False
        If True, clip what `transform` returns to [-1, 1]; needs a scikit-learn that offers it.

    Attributes
    ----------
    scale_ : ndarray of shape (n_features,)
        What each feature is divided by; 1 where `max_abs_` is zero.

    max_abs_ : ndarray of shape (n_features,)
        Maximum absolute value of each feature.

    n_samples_seen_ : int
        Number of rows held.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    skunlearn.preprocessing.MinMaxScaler : Scales to a range.

    Notes
    -----
    The promise is 'bitwise'. Arrays of other libraries than NumPy are refused.

    Examples
    --------
    >>> from skunlearn.preprocessing import MaxAbsScaler
    >>> scaler = MaxAbsScaler().fit([[-2.0], [1.0], [400.0]], sample_ids=["a", "b", "c"])
    >>> scaler.unlearn("c").transform([[-2.0], [1.0]]).ravel()
    array([-1. ,  0.5])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"copy": ["boolean"], "clip": ["boolean"]}
    _namesake_class = sklearn.preprocessing.MaxAbsScaler
    _decisive = ("scale_",)
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_extremes",)

    def __init__(self, *, copy: bool = True, clip: bool = False):
        self.copy = copy
        self.clip = clip

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> MaxAbsScaler:
        """Compute the maximum absolute value of each feature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; NaN entries are passed over.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted scaler.
        """
        if self.clip and not _NAMESAKE_CLIPS:
            raise ValueError(
                "clip=True needs a release of scikit-learn whose MaxAbsScaler has `clip`: "
                "pip install -U scikit-learn"
            )
        source = X
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
        )
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        self._extremes = Extremes()
        X = self._samples.X
        if sparse.issparse(X):
            low, high = min_max_axis(X, axis=0, ignore_nan=True)
        else:
            low, high = least_of(X), least_of(X, np.maximum)
        attributes = self._attributes(np.maximum(np.abs(low), np.abs(high)))
        self.__dict__.update(attributes, n_samples_seen_=X.shape[0])
        return self

    def _attributes(self, max_abs: np.ndarray) -> dict[str, Any]:
        scaler = self._namesake_class().fit(max_abs[np.newaxis])
        return {"max_abs_": scaler.max_abs_, "scale_": scaler.scale_}

    def _unlearn(self, rows: np.ndarray) -> Removal:
        X = self._samples.X

        def columns_left(columns: list[int]) -> Iterator[np.ndarray]:
            kept = self._samples.slots_without(rows)
            left = X[kept][:, columns].tocsc() if sparse.issparse(X) else None
            for position, j in enumerate(columns):
                column = X[kept, j] if left is None else left[:, [position]].toarray().ravel()
                yield -np.abs(column)

        former = -self.max_abs_
        least, edit = self._extremes.without(former, -np.abs(dense(X, rows)), columns_left)
        attributes = {} if least is former else self._attributes(-least)
        attributes["n_samples_seen_"] = self.n_samples_seen_ - rows.size
        return Removal(attributes, replacements=self._edit(edit))

    @available_if(lambda self: not self.clip)
    def _affine_map(self) -> AffineMap:
        """Return the map that `transform` is."""
        return AffineMap(np.zeros(self.n_features_in_), self.scale_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
