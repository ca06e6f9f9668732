"""MinMaxScaler that forgets rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils.metaestimators import available_if

from skunlearn._mixins.namesake import InverseMixin, NamesakeTransformer
from skunlearn._statistics.extremes import Extremes, least_of
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Removal


class MinMaxScaler(InverseMixin, OneToOneFeatureMixin, NamesakeTransformer):
    """Scale each feature to a given range, and forget rows.

    Same parameters, fitted attributes and output as :class:`sklearn.preprocessing.MinMaxScaler`.
    A request looks at the removed rows only, O(k d), as long as none of them holds an extreme; a
    column whose extreme leaves is read once, and the next extremes are kept in a buffer.

    Parameters
    ----------
    feature_range : tuple (min, max), default=(0, 1)
        Range that the rows held are mapped to.

    copy : bool, default=True
        If False, try to transform in place.

    clip : bool, default=False
        If True, clip what `transform` returns to `feature_range`.

    Attributes
    ----------
    min_ : ndarray of shape (n_features,)
        What is added to each feature once it is multiplied by `scale_`.

    scale_ : ndarray of shape (n_features,)
        What each feature is multiplied by.

    data_min_ : ndarray of shape (n_features,)
        Minimum of each feature.

    data_max_ : ndarray of shape (n_features,)
        Maximum of each feature.

    data_range_ : ndarray of shape (n_features,)
        Difference of the two.

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
    skunlearn.preprocessing.MaxAbsScaler : Scales by the largest absolute value.

    Notes
    -----
    The promise is 'bitwise'. A negative zero among the extremes is published as zero. Arrays of
    other libraries than NumPy are refused.

    Examples
    --------
    >>> from skunlearn.preprocessing import MinMaxScaler
    >>> scaler = MinMaxScaler().fit([[0.0], [2.0], [400.0]], sample_ids=["a", "b", "c"])
    >>> scaler.unlearn("c").transform([[0.0], [1.0], [2.0]]).ravel()
    array([0. , 0.5, 1. ])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "feature_range": [tuple],
        "copy": ["boolean"],
        "clip": ["boolean"],
    }
    _namesake_class = sklearn.preprocessing.MinMaxScaler
    _decisive = ("scale_", "min_")
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_extremes",)

    def __init__(
        self,
        feature_range: tuple[float, float] = (0, 1),
        *,
        copy: bool = True,
        clip: bool = False,
    ):
        self.feature_range = feature_range
        self.copy = copy
        self.clip = clip

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> MinMaxScaler:
        """Compute the minimum and maximum of each feature.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
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
        if self.feature_range[0] >= self.feature_range[1]:
            raise ValueError(
                "Minimum of desired feature range must be smaller than maximum. Got "
                f"{self.feature_range}."
            )
        if sparse.issparse(X):
            raise TypeError(
                "MinMaxScaler does not support sparse input. Consider using MaxAbsScaler instead."
            )
        source = X
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan")
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        self._extremes = Extremes()
        X = self._samples.X
        least = np.concatenate([least_of(X), -least_of(X, np.maximum)])
        self.__dict__.update(self._attributes(least), n_samples_seen_=X.shape[0])
        return self

    def _attributes(self, least: np.ndarray) -> dict[str, Any]:
        """Have scikit-learn work out the attributes, from the least values of X and of -X."""
        ends = np.stack(np.split(least, 2))
        ends[1] *= -1
        ends += 0.0
        scaler = self._namesake_class(feature_range=self.feature_range).fit(ends)
        names = ("min_", "scale_", "data_min_", "data_max_", "data_range_")
        return {name: getattr(scaler, name) for name in names}

    def _unlearn(self, rows: np.ndarray) -> Removal:
        X, n_features = self._samples.X, self.n_features_in_

        def columns_left(columns: list[int]) -> Iterator[np.ndarray]:
            kept = self._samples.slots_without(rows)
            for j in columns:
                column = X[kept, j % n_features]
                yield column if j < n_features else -column

        gone = np.concatenate([X[rows], -X[rows]], axis=1)
        former = np.concatenate([self.data_min_, -self.data_max_])
        least, edit = self._extremes.without(former, gone, columns_left)
        attributes = {} if least is former else self._attributes(least)
        attributes["n_samples_seen_"] = self.n_samples_seen_ - rows.size
        return Removal(attributes, replacements=self._edit(edit))

    @available_if(lambda self: not self.clip)
    def _affine_map(self) -> AffineMap:
        """Return the map that `transform` is."""
        return AffineMap(-self.min_ / self.scale_, 1 / self.scale_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
