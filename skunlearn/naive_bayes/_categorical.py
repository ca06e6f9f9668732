"""CategoricalNB that forgets rows."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.naive_bayes
from sklearn.utils.validation import check_non_negative

from skunlearn._compat import Interval
from skunlearn._kernels.counts import count_entries
from skunlearn._statistics.column_moments import UNIT_WEIGHTS
from skunlearn._validation import validate_data
from skunlearn.naive_bayes._discrete import BaseDiscreteNB

_ROW_BLOCK = 1 << 14
_INPUT = "CategoricalNB (input X)"


class CategoricalNB(BaseDiscreteNB):
    """Naive Bayes for categories numbered from 0, that forgets rows.

    Same parameters, fitted attributes and output as :class:`sklearn.naive_bayes.CategoricalNB`.
    A request reads the removed rows only and costs O(k d) for k of them with d features, plus
    O(c v) for c classes and v categories in all to derive the attributes.

    Parameters
    ----------
    alpha : float, default=1.0
        Additive smoothing; 0 for none.

    force_alpha : bool, default=True
        If False, an `alpha` below 1e-10 is raised to it.

    fit_prior : bool, default=True
        Whether to learn class priors; if False they are uniform.

    class_prior : array-like of shape (n_classes,), default=None
        Priors of the classes, instead of learned ones.

    min_categories : int or array-like of shape (n_features,), default=None
        Least number of categories of each feature, whether or not rows have them.

    Attributes
    ----------
    category_count_ : list of n_features ndarrays of shape (n_classes, n_categories)
        Weight of the rows of each class that have each category.

    class_count_ : ndarray of shape (n_classes,)
        Weight of the rows of each class.

    class_log_prior_ : ndarray of shape (n_classes,)
        Logarithm of the prior of each class.

    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

    feature_log_prob_ : list of n_features ndarrays of shape (n_classes, n_categories)
        Logarithm of ``P(x_j|c)``.

    n_categories_ : ndarray of shape (n_features,), dtype int64
        One more than the largest category of each feature among the rows held.

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
    skunlearn.naive_bayes.MultinomialNB : For counts.

    Notes
    -----
    The promise is 'bitwise': every fitted attribute equals that of a new fit on the remaining rows,
    whatever the weights, which are added up as integers on a fixed grid of 2**-80 ([1]_,
    section 3). Weights from 2**40 on are refused. Once the last row with the largest category of a
    feature is gone, the model no longer knows that category and `predict` refuses it, as
    scikit-learn's does; `min_categories` keeps it.

    References
    ----------
    .. [1] Collange, Defour, Graillat, Iakymchuk: Numerical reproducibility for the parallel
       reduction on multi- and many-core architectures, Parallel Computing 49, 2015.

    Examples
    --------
    >>> from skunlearn.naive_bayes import CategoricalNB
    >>> X, y = [[0, 1], [1, 1], [1, 0], [2, 0]], [0, 0, 1, 1]
    >>> model = CategoricalNB().fit(X, y, sample_ids=["ann", "bob", "cem", "eve"])
    >>> model.n_categories_
    array([3, 2])
    >>> model.unlearn("eve").n_categories_
    array([2, 2])
    >>> model.category_count_[0]
    array([[1., 1.],
           [0., 1.]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseDiscreteNB._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "min_categories": [None, "array-like", Interval(Integral, 1, None, closed="left")],
    }
    _overwritten: ClassVar[tuple[str, ...]] = ("_min_categories",)

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        force_alpha: bool = True,
        fit_prior: bool = True,
        class_prior: Any = None,
        min_categories: Any = None,
    ):
        self.alpha = alpha
        self.force_alpha = force_alpha
        self.fit_prior = fit_prior
        self.class_prior = class_prior
        self.min_categories = min_categories

    def _check_training(
        self, X: Any, y: Any, sample_weight: Any, **checks: Any
    ) -> tuple[Any, np.ndarray, np.ndarray | None, np.ndarray]:
        checks |= {"dtype": "int", "accept_sparse": False}
        X, y, weight, classes = super()._check_training(X, y, sample_weight, **checks)
        check_non_negative(X, _INPUT)
        self._min_categories = self._checked_min_categories()
        self.n_categories_ = np.maximum(X.max(axis=0) + 1, self._min_categories)
        return X, y, weight, classes

    def _checked_min_categories(self) -> np.ndarray:
        """Return the least number of categories per feature, 0 where none was asked for."""
        shape = (self.n_features_in_,)
        if self.min_categories is None:
            return np.zeros(shape, dtype=np.int64)
        least = np.asarray(self.min_categories)
        if not np.issubdtype(least.dtype, np.signedinteger):
            raise ValueError(
                f"'min_categories' should have integral type. Got {least.dtype} instead."
            )
        if least.ndim and least.shape != shape:
            raise ValueError(
                f"'min_categories' should have shape {shape} when an array-like is provided. Got "
                f"{least.shape} instead."
            )
        return np.full(shape, least, dtype=np.int64)

    def _threshold_for(self, X: Any) -> float:
        return 0.0

    def _zeros(self, n_classes: int) -> np.ndarray:
        # The fourth layer counts rows: a category of weight zero is there as long as a row has it.
        return np.zeros((4, n_classes, self.n_categories_.sum() + 1), dtype=np.int64)

    def _count(
        self,
        totals: np.ndarray,
        counts: np.ndarray,
        labels: np.ndarray,
        rows: np.ndarray,
        sign: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Count each category as a feature of its own that a row has or has not."""
        X, weights = self._samples.X, self._samples.sample_weight
        n_features = X.shape[1]
        n_classes, width = totals.shape[1:]
        first = np.cumsum(self.n_categories_) - self.n_categories_
        for start in range(0, rows.size, _ROW_BLOCK):
            block, label = rows[start : start + _ROW_BLOCK], labels[start : start + _ROW_BLOCK]
            positions = first + X[block]
            totals, counts = count_entries(
                totals,
                counts,
                np.ones(positions.size),
                positions.astype(np.int32).ravel(),
                np.arange(0, positions.size + 1, n_features, dtype=np.int32),
                UNIT_WEIGHTS if weights is None else weights[block],
                label,
                np.arange(block.size),
                self._threshold,
                sign,
            )
            cells = (label[:, np.newaxis] * width + positions).ravel()
            totals[3] += sign * np.bincount(cells, minlength=n_classes * width).reshape(-1, width)
        return totals, counts

    def _attributes(
        self, totals: np.ndarray, counts: np.ndarray, classes: np.ndarray
    ) -> dict[str, Any]:
        ends = np.cumsum(self.n_categories_)
        held = np.split(totals[3, :, :-1].sum(axis=0) > 0, ends[:-1])
        largest = [np.flatnonzero(rows)[-1] for rows in held]
        n_categories = np.maximum(np.array(largest) + 1, self._min_categories)
        gone = self.n_categories_ - n_categories
        if gone.any():
            keep = np.ones(totals.shape[2], dtype=bool)
            for end, n_gone in zip(ends, gone, strict=True):
                keep[end - n_gone : end] = False
            totals = totals.compress(keep, axis=2)
        attributes = super()._attributes(totals, counts, classes)
        split = np.cumsum(n_categories)[:-1]
        by_feature = [
            part.copy() for part in np.split(attributes["category_count_"], split, axis=1)
        ]
        alpha, class_count = self._checked_alpha(), attributes["class_count_"]
        log_prob = [self._feature_log_prob(count, class_count, alpha) for count in by_feature]
        return attributes | {
            "category_count_": by_feature,
            "feature_log_prob_": log_prob,
            "n_categories_": n_categories,
        }

    def _feature_attributes(
        self, feature_count: np.ndarray, class_count: np.ndarray
    ) -> dict[str, Any]:
        return {"category_count_": feature_count}

    def _feature_log_prob(
        self, feature_count: np.ndarray, class_count: np.ndarray, alpha: Any
    ) -> np.ndarray:
        smoothed = feature_count + alpha
        return np.log(smoothed) - np.log(smoothed.sum(axis=1, keepdims=True))

    def _check_X(self, X: Any) -> np.ndarray:
        X = validate_data(self, X, dtype="int", reset=False)
        check_non_negative(X, _INPUT)
        return X

    def _joint_log_likelihood(self, X: np.ndarray) -> np.ndarray:
        joint = np.zeros((X.shape[0], self.classes_.size))
        for categories, log_prob in zip(X.T, self.feature_log_prob_, strict=True):
            joint += log_prob[:, categories].T
        return joint + self.class_log_prior_

    def to_predictor(self) -> sklearn.naive_bayes.CategoricalNB:
        """Return scikit-learn's own classifier for deployment.

        Returns
        -------
        predictor : sklearn.naive_bayes.CategoricalNB
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.naive_bayes.CategoricalNB)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.sparse = False
        tags.input_tags.positive_only = True
        return tags
