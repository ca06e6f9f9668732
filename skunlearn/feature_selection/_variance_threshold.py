"""VarianceThreshold that forgets rows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sklearn.feature_selection
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval
from skunlearn._samples.tables import take
from skunlearn._statistics import column_moments
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Guarantee, Removal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.feature_selection import _counted_extremes
from skunlearn.feature_selection._selector import NEAR, BaseSelector, RemainingRows, relative_error


class VarianceThreshold(BaseSelector):
    """Drop features of low variance, and forget rows.

    Same parameters, fitted attributes and output as
    :class:`sklearn.feature_selection.VarianceThreshold`. A request costs O(k d) for k removed rows
    and d columns, plus O(n) for each column that needs another look (see Notes).

    Parameters
    ----------
    threshold : float, default=0
        Features with a variance not above it are dropped; by default those that are constant.

    Attributes
    ----------
    variances_ : ndarray of shape (n_features,)
        Variance of each feature. Where `threshold` is 0, as in scikit-learn, the distance from the
        smallest to the largest value where that is less: exactly 0 for a constant feature.

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
    SelectKBest : Select the features with the highest scores.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-10. Moments of each column are updated by
    subtraction [1]_; a column is computed anew from the remaining rows where rounding would
    show, where its variance is too near to `threshold` to tell, and, for a `threshold` of 0, where
    the last row at its smallest or largest value goes.

    References
    ----------
    .. [1] Chan, Golub, LeVeque: Algorithms for computing the sample variance, The American
       Statistician 37(3), 1983.

    Examples
    --------
    >>> from skunlearn.feature_selection import VarianceThreshold
    >>> X = [[0, 2, 0], [0, 1, 4], [7, 1, 1]]
    >>> selector = VarianceThreshold().fit(X, sample_ids=["a", "b", "c"])
    >>> selector.unlearn("c").transform([[0, 2, 0], [0, 1, 4]])
    array([[2, 0],
           [1, 4]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "threshold": [Interval(Real, 0, None, closed="left")]
    }
    _float_residue = ("_moments", "_updates")
    _unlearning_tags = UnlearningTags("numerical", tolerance=column_moments.TOLERANCE)
    _overwritten: ClassVar[tuple[str, ...]] = ("_extremes", "_moments", "_updates")

    def __init__(self, threshold: float = 0.0):
        self.threshold = threshold

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> VarianceThreshold:
        """Compute the variance of each feature.

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
            Fitted selector.

        Raises
        ------
        ValueError
            If no feature has a variance above the threshold.
        """
        source = X
        X = validate_data(
            self, X, accept_sparse="csr", dtype=np.float64, ensure_all_finite="allow-nan"
        )
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        remaining = RemainingRows(self._samples, np.empty(0, dtype=np.intp))
        moments = column_moments.from_rows(self._samples.X, None, remaining.slots)
        extremes = (
            _counted_extremes.from_rows(self._samples.X, remaining.slots)
            if self.threshold == 0
            else None
        )
        updates = np.zeros(moments.shape[1])
        self.__dict__.update(self._attributes(moments, extremes, updates, remaining, ValueError))
        return self

    def _attributes(
        self,
        moments: np.ndarray,
        extremes: np.ndarray | None,
        updates: np.ndarray,
        remaining: RemainingRows,
        refusal: type[ValueError],
    ) -> dict[str, Any]:
        variances = self._variances(moments)
        if extremes is not None:
            complete = moments[0] == remaining.size  # as in scikit-learn, NaN has no distance
            span = np.where(complete, extremes[1] - extremes[0], np.nan)
            variances = np.fmin(variances, span)
        else:
            near = np.abs(variances - self.threshold) <= NEAR * self.threshold
            if near.any():
                variances[near] = self._near_threshold(variances, near, remaining.slots)
        if not (np.isfinite(variances) & (variances > self.threshold)).any():
            message = f"No feature in X meets the variance threshold {self.threshold:.5f}"
            if remaining.size == 1:
                message += " (X contains only one sample)"
            raise refusal(message)
        return {
            "_moments": moments,
            "_extremes": extremes,
            "_updates": updates,
            "variances_": variances,
        }

    @staticmethod
    def _variances(moments: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return moments[2] / moments[0]

    def _near_threshold(
        self, variances: np.ndarray, near: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        """Let scikit-learn's own sums decide where rounding does."""
        columns = np.flatnonzero(near)
        table = take(self._samples.X[:, np.resize(columns, max(2, columns.size))], rows)
        judge = sklearn.feature_selection.VarianceThreshold(threshold=0.5 * self.threshold)
        recomputed = judge.fit(table).variances_[: columns.size]
        close = np.abs(recomputed - variances[near]) <= column_moments.TOLERANCE * recomputed
        return np.where(close, recomputed, variances[near])

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        moments = column_moments.without_rows(self._moments, samples.X, None, rows)[0]
        updates = self._updates + 1
        error = relative_error(moments[3], moments[2], updates)
        stale = error > column_moments.TOLERANCE
        if self.threshold > 0:
            near = np.abs(self._variances(moments) - self.threshold) <= NEAR * self.threshold
            stale |= near & (updates > 0)
        remaining = RemainingRows(samples, rows)
        columns = np.flatnonzero(stale)
        if columns.size:
            moments[:, columns] = column_moments.from_rows(
                samples.X[:, columns], None, remaining.slots
            )
            updates[columns] = 0
            error[columns] = relative_error(
                moments[3, columns], moments[2, columns], updates[columns]
            )
        extremes = self._extremes
        if extremes is not None:
            extremes = _counted_extremes.without_rows(extremes, samples.X, remaining)
        attributes = self._attributes(moments, extremes, updates, remaining, NotUnlearnableError)
        guarantee = Guarantee("numerical", "state", column_moments.TOLERANCE, float(error.max()))
        n_passes = columns.size / stale.size
        return Removal(attributes, guarantee, columns.size, stale.size, "column", n_passes=n_passes)

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.variances_ > self.threshold

    def to_predictor(self) -> sklearn.feature_selection.VarianceThreshold:
        """Return scikit-learn's own selector for deployment.

        Returns
        -------
        predictor : sklearn.feature_selection.VarianceThreshold
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.feature_selection.VarianceThreshold)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags
