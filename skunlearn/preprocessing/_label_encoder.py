"""LabelEncoder that forgets labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn.preprocessing
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted

from skunlearn._validation import refuse_arrays
from skunlearn.base import reads_one_version
from skunlearn.preprocessing._category_columns import codes_of, distinct, unknown_values
from skunlearn.preprocessing._label_counter import LabelCounter


# mypy does not see the argument that scikit-learn gives classes: outputs stay as they are.
class LabelEncoder(LabelCounter, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Encode labels as whole numbers from zero on, and forget labels.

    Same fitted attribute and output as :class:`sklearn.preprocessing.LabelEncoder`. A request costs
    a look-up per removed label; labels are counted at the first request.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; they change when the last row of one goes.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the labels held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    See Also
    --------
    skunlearn.preprocessing.OrdinalEncoder : Encodes features.

    Notes
    -----
    The promise is 'bitwise'.

    Examples
    --------
    >>> from skunlearn.preprocessing import LabelEncoder
    >>> encoder = LabelEncoder().fit(["paris", "amsterdam", "tokyo"], sample_ids=[7, 8, 9])
    >>> encoder.unlearn(8).transform(["tokyo", "paris"])
    array([1, 0])
    """

    def fit(self, y: Any, *, sample_ids: Any = None) -> LabelEncoder:
        """Find the labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which labels can be unlearned; default ``y.index`` for a pandas y, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted encoder.
        """
        refuse_arrays(self, y)
        labels = column_or_1d(y, warn=True)
        self._hold_labels(labels, y, sample_ids)
        self.classes_ = self._shown(distinct(labels))
        return self

    def fit_transform(self, y: Any, *, sample_ids: Any = None) -> np.ndarray:
        """Find the labels and encode them.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels.

        sample_ids : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Codes.
        """
        self.fit(y, sample_ids=sample_ids)
        return codes_of(self._samples.X.arrays[0], self.classes_)

    @reads_one_version
    def transform(self, y: Any) -> np.ndarray:
        """Encode labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Codes.
        """
        check_is_fitted(self)
        y = column_or_1d(y, dtype=self.classes_.dtype, warn=True)
        if not y.size:
            return np.array([])
        codes = codes_of(y, self.classes_)
        if codes.min() < 0:
            unknown = unknown_values(y, codes)
            raise ValueError(f"y contains previously unseen labels: {unknown}")
        return codes

    @reads_one_version
    def inverse_transform(self, y: Any) -> np.ndarray:
        """Decode labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Codes.

        Returns
        -------
        y_original : ndarray of shape (n_samples,)
            Labels.
        """
        check_is_fitted(self)
        y = column_or_1d(y, warn=True)
        if not y.size:
            return np.array([])
        unknown = np.setdiff1d(y, np.arange(self.classes_.size))
        if unknown.size:
            raise ValueError(f"y contains previously unseen labels: {unknown}")
        return self.classes_[y]

    def to_predictor(self) -> sklearn.preprocessing.LabelEncoder:
        """Return scikit-learn's own encoder for deployment.

        Returns
        -------
        predictor : sklearn.preprocessing.LabelEncoder
            Fitted; holds no training label.
        """
        return self._as_namesake(sklearn.preprocessing.LabelEncoder)
