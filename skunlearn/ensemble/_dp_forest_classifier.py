"""Differentially private forest for classes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import special
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skunlearn._mixins.log_probabilities import LogProbabilityMixin
from skunlearn._samples.strings import narrowed
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import reads_one_version
from skunlearn.ensemble._dp_forest.base import BasePrivateForest
from skunlearn.ensemble._dp_forest.trees import shares_in_leaves


class DPForestClassifier(LogProbabilityMixin, ClassifierMixin, BasePrivateForest):
    """Differentially private forest: trees that know no rows, with noisy counts in their leaves.

    What it publishes is epsilon-differentially private, and each request is answered by taking the
    rows out of the secret counts and publishing them with fresh noise, as retraining would.

    Parameters
    ----------
    n_estimators : int, default=16
        Number of trees. Noise grows with it, but so does what trees can tell: more trees for more
        rows or a larger epsilon.

    epsilon : float, default=1.0
        Privacy parameter of each release: `fit` makes one, and each request another.

    bounds : tuple (low, high), default=None
        Bounds of the columns, each a number or an array of shape (n_features,). Values outside
        are treated as if at the bound. To be declared without looking at the rows; None reads them
        from the rows and warns.

    classes : array-like of shape (n_classes,), default=None
        Class labels, declared; None reads them from the rows and warns.

    max_depth : int, default=5
        Depth of the trees, all of whose leaves are there whether rows fall into them or not.

    max_samples : float, default=1.0
        Share of the trees each row is in, chosen by a keyed hash of its id. With k trees to a row
        counts carry noise of scale k/epsilon; see Notes for why all of them is best.

    categories : dict, default=None
        Number of categories of each categorical column, ``{column: n}`` with columns as numbers or
        names; values are codes 0..n-1, others count as missing.

    missing_features : array-like of column numbers or names, default=None
        Columns where values may be missing (NaN): some splits then ask for just that. In other
        columns a missing value goes to a side that is drawn for each split.

    total_epsilon : float, default=None
        Budget of all releases together. None keeps the account without a limit.

    removal_epsilon : float, default=0.0
        What a removal may leave instead of a new release: k removed rows are covered by the release
        in force at ``k * epsilon``. The default publishes anew with every request.

    random_state : int, RandomState instance or None, default=None
        Key of trees and noise. None takes 256 bits from the operating system. Whoever knows or
        guesses another value can take the noise off: for tests only.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.

    bounds_ : ndarray of shape (2, n_features)
        Bounds of the columns, 0 for categorical ones.

    trees_ : object
        Splits; independent of rows.

    noisy_counts_ : ndarray of shape (n_estimators, n_leaves, n_classes)
        The release: rows of each class in each leaf, with noise.

    leaf_scores_ : ndarray of shape (n_estimators, n_leaves, n_classes)
        What is added to the logarithm of the odds of classes in each leaf, from `noisy_counts_`.

    base_scores_ : ndarray of shape (n_classes,)
        Logarithms of class shares.

    n_releases_ : int
        Releases since `fit`, its own included.

    budget_spent_, budget_left_ : float
        Epsilon of all releases together, for a row in all of them, and what is left of
        `total_epsilon`. A person with m rows multiplies it by m; other fits add theirs.

    requests_until_refit_ : float
        How many more requests for one row each the budget covers.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request, with epsilon as left by it.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    DPForestRegressor : For numbers.
    UnlearningForestClassifier : Forgets exactly, is more accurate, and is not private.

    Notes
    -----
    *Theorem.* Two tables are neighbours if one has a row, with its id, that the other has not.
    Splits are functions of the key and of what is declared. A row is in k trees, which depend on
    the key and its own id, so that it changes k counts by one each. Two-sided geometric noise
    with ``P(z)`` proportional to ``exp(-epsilon |z| / k)`` makes the table of counts
    epsilon-differentially private [1]_ (delta = 0), and all else is computed from it. Noise is
    drawn in integers [2]_. The number of rows is not published. The key is the
    object's secret: publish ``to_predictor()``. If ids are row numbers and ``max_samples < 1``,
    taking out a row must not renumber the others: pass `sample_ids`.

    *Unlearning.* The secret counts are integers, exactly those of the remaining rows. A new release
    is distributed as that of a model retrained with the same trees, which were drawn before any row
    was seen, whatever was published before: epsilon = 0 between the two, also for requests chosen
    by looking at releases. What is published before and after composes to `budget_spent_`. With a
    `removal_epsilon` a release stays in force until k removed rows have used it up: by group
    privacy it is (k epsilon)-indistinguishable from one of a retrained model; this spares the
    budget of those who stay. :meth:`release` publishes anew; `purge` does not. Classes and bounds
    that were not declared are determined again with each request.

    *Why every row is in every tree.* With k trees to a row a tree counts ``n k / n_estimators``
    rows with noise of scale k/epsilon: their ratio does not depend on k, but the error of
    sampling does. One tree for each row, as in [3]_, was at best as accurate in all that was
    measured with an epsilon of 1 or more.

    *From counts to classes.* Counts of each class in each tree are projected to the nearest ones
    without negative numbers that have the sum which all trees agree on; shares of classes in a
    leaf are drawn to those of the forest; the logarithms of the ratios are added over trees and
    divided by the root of their number, between 1 for trees that see different things and
    `n_estimators` for trees that see the same.

    *No sample weights*: the noise would have to cover the largest weight, of a single row.

    References
    ----------
    .. [1] Ghosh, Roughgarden, Sundararajan: Universally utility-maximizing privacy mechanisms,
       SIAM Journal on Computing 41, 2012.
    .. [2] Canonne, Kamath, Steinke: The discrete Gaussian for differential privacy, NeurIPS 2020.
    .. [3] Fletcher, Islam: Differentially private random decision forests using smooth sensitivity,
       Expert Systems with Applications 78, 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skunlearn.ensemble import DPForestClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DPForestClassifier(epsilon=5.0, bounds=(0, 16), classes=range(10))
    >>> model = model.fit(X, y, sample_ids="row numbers")
    >>> model.unlearn([7, 11, 13]).budget_spent_
    10.0
    >>> model.unlearning_report_.guarantee.epsilon
    0.0
    >>> bool(model.score(X, y) > 0.7)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BasePrivateForest._parameter_constraints,
        "classes": ["array-like", None],
    }

    classes_: np.ndarray

    def __init__(
        self,
        n_estimators: int = 16,
        *,
        epsilon: float = 1.0,
        bounds: Any = None,
        classes: Any = None,
        max_depth: int = 5,
        max_samples: float = 1.0,
        categories: Any = None,
        missing_features: Any = None,
        total_epsilon: float | None = None,
        removal_epsilon: float = 0.0,
        random_state: Any = None,
    ):
        self.n_estimators = n_estimators
        self.epsilon = epsilon
        self.bounds = bounds
        self.classes = classes
        self.max_depth = max_depth
        self.max_samples = max_samples
        self.categories = categories
        self.missing_features = missing_features
        self.total_epsilon = total_epsilon
        self.removal_epsilon = removal_epsilon
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> DPForestClassifier:
        """Count rows and publish the counts with noise.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; missing values are NaN.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted forest.

        Raises
        ------
        ValueError
            If labels are not among the declared classes, bounds or columns make no sense, or
            `total_epsilon` covers no release.

        Warns
        -----
        PrivacyLeakWarning
            If bounds or classes were not declared.
        """
        sources = (X, y, None)
        X, y = self._check_training(X, y)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        classes = None if self.classes is None else np.unique(self.classes)
        strangers = np.setdiff1d(y, y if classes is None else classes)
        if strangers.size:
            raise ValueError(f"y has labels that are not among classes: {strangers[:10]}.")
        self._fit_rows(X, y, sources, sample_ids, classes_=classes)
        return self

    def _read_targets(self, rows: np.ndarray) -> np.ndarray:
        labels: Any = self._samples.y
        return np.unique(narrowed(labels[rows]))

    def _row_counts(
        self, described: dict[str, Any], rows: np.ndarray, positions: np.ndarray, n_positions: int
    ) -> np.ndarray:
        labels: Any = self._samples.y
        n_classes = described["classes_"].size
        codes = np.searchsorted(described["classes_"], labels[rows])
        cells = positions * n_classes + codes[:, None]
        counts = np.bincount(cells.ravel(), minlength=n_positions * n_classes)
        return counts.reshape(n_positions, n_classes)

    def _scores(
        self, described: dict[str, Any], released: np.ndarray, noise: float
    ) -> tuple[np.ndarray, np.ndarray]:
        shares, overall = shares_in_leaves(released, 0.1 * noise + 0.05)
        return np.log(shares / overall) / np.sqrt(len(released)), np.log(overall)

    @reads_one_version
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return special.softmax(self._sum_scores(X), axis=1)

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        scores = self._sum_scores(X)
        return self.classes_[scores.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags
