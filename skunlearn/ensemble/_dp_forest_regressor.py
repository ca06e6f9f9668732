"""Differentially private forest for numbers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin

from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import reads_one_version
from skunlearn.ensemble._dp_forest.base import BasePrivateForest
from skunlearn.ensemble._dp_forest.trees import shares_in_leaves

# What leaves differ from the mean is multiplied: each random split sees little of the target.
_STRETCH = 2.0


class DPForestRegressor(RegressorMixin, BasePrivateForest):
    """Differentially private forest for numbers between declared bounds.

    Parameters
    ----------
    n_estimators : int, default=10
        Number of trees. Noise grows with it, but so does what trees can tell.

    epsilon : float, default=1.0
        Privacy parameter of each release: `fit` makes one, and each request another.

    bounds : tuple (low, high), default=None
        Bounds of the columns, each a number or an array of shape (n_features,). Values outside
        are treated as if at the bound. To be declared without looking at the rows; None reads them
        from the rows and warns.

    target_bounds : tuple (low, high), default=None
        Bounds of the target, declared; targets outside are moved to the bound. None reads them
        from the rows and warns.

    max_depth : int, default=4
        Depth of the trees, all of whose leaves are there whether rows fall into them or not.

    max_samples : float, default=1.0
        Share of the trees each row is in, chosen by a keyed hash of its id.

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
    target_bounds_ : ndarray of shape (2,)
        Bounds of the target.

    bounds_ : ndarray of shape (2, n_features)
        Bounds of the columns, 0 for categorical ones.

    trees_ : object
        Splits; independent of rows.

    noisy_counts_ : ndarray of shape (n_estimators, n_leaves, 2)
        The release: how much of the rows in each leaf is at the lower and at the upper bound of the
        target, with noise.

    leaf_scores_ : ndarray of shape (n_estimators, n_leaves, 1)
        What each leaf adds to the prediction, from `noisy_counts_`.

    base_scores_ : ndarray of shape (1,)
        Mean of the target, as released.

    n_releases_ : int
        Releases since `fit`, its own included.

    budget_spent_, budget_left_ : float
        Epsilon of all releases together, for a row in all of them, and what is left of
        `total_epsilon`.

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
    DPForestClassifier : For classes; its notes say what is private and how it forgets.
    UnlearningForestRegressor : Forgets exactly, is more accurate, and is not private.

    Notes
    -----
    A row with target y in [low, high] counts as ``(y - low)/(high - low)`` of a row at the upper
    bound and the rest of a row at the lower one, in units of 2**-10. Both together are one row, so
    that sums and counts need no epsilon of their own: geometric noise of scale ``k / epsilon`` on
    both, k trees to a row, makes them epsilon-differentially private [1]_. Predictions
    are the mean plus twice the mean deviation of leaves, drawn to the mean the more, the more noise
    there is, and never outside of the bounds.

    References
    ----------
    .. [1] Ghosh, Roughgarden, Sundararajan: Universally utility-maximizing privacy mechanisms,
       SIAM Journal on Computing 41, 2012.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from skunlearn.ensemble import DPForestRegressor
    >>> X, y = make_friedman1(5000, 5, random_state=0)
    >>> model = DPForestRegressor(bounds=(0, 1), target_bounds=(0, 30))
    >>> model = model.fit(X, y, sample_ids="row numbers")
    >>> model.unlearn([7, 11, 13]).budget_spent_
    2.0
    >>> bool(model.score(X, y) > 0.2)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BasePrivateForest._parameter_constraints,
        "target_bounds": ["array-like", None],
    }
    _unit = 1 << 10

    target_bounds_: np.ndarray

    def __init__(
        self,
        n_estimators: int = 10,
        *,
        epsilon: float = 1.0,
        bounds: Any = None,
        target_bounds: Any = None,
        max_depth: int = 4,
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
        self.target_bounds = target_bounds
        self.max_depth = max_depth
        self.max_samples = max_samples
        self.categories = categories
        self.missing_features = missing_features
        self.total_epsilon = total_epsilon
        self.removal_epsilon = removal_epsilon
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> DPForestRegressor:
        """Count rows and publish the counts with noise.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; missing values are NaN.

        y : array-like of shape (n_samples,)
            Targets.

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
            If bounds or columns make no sense, or `total_epsilon` covers no release.

        Warns
        -----
        PrivacyLeakWarning
            If bounds of columns or of the target were not declared.
        """
        sources = (X, y, None)
        X, y = self._check_training(X, y, y_numeric=True)
        targets = self._declared_target_bounds()
        self._fit_rows(X, y.astype(np.float64), sources, sample_ids, target_bounds_=targets)
        return self

    def _declared_target_bounds(self) -> np.ndarray | None:
        if self.target_bounds is None:
            return None
        bounds = np.array(self.target_bounds, dtype=np.float64)
        if bounds.shape != (2,) or not np.isfinite(bounds).all() or bounds[0] >= bounds[1]:
            raise ValueError(
                "target_bounds must be two finite numbers, the lower first; got "
                f"{self.target_bounds!r}."
            )
        return bounds

    def _read_targets(self, rows: np.ndarray) -> np.ndarray:
        targets: Any = self._samples.y
        return np.array([targets[rows].min(), targets[rows].max()]) + 0.0

    def _row_counts(
        self, described: dict[str, Any], rows: np.ndarray, positions: np.ndarray, n_positions: int
    ) -> np.ndarray:
        targets: Any = self._samples.y
        low, high = described["target_bounds_"]
        share = (np.clip(targets[rows], low, high) - low) / ((high - low) or 1.0)
        units = np.repeat(np.rint(share * self._unit), positions.shape[1])
        cells = positions.ravel()
        upper = np.bincount(cells, units, minlength=n_positions).astype(np.int64)
        every = np.bincount(cells, minlength=n_positions) * self._unit
        return np.stack([every - upper, upper], axis=1)

    def _scores(
        self, described: dict[str, Any], released: np.ndarray, noise: float
    ) -> tuple[np.ndarray, np.ndarray]:
        low, high = described["target_bounds_"]
        shares, overall = shares_in_leaves(released, 2.0 * noise + 0.05)
        deviations = (shares[..., 1:] - overall[1]) * (_STRETCH * (high - low) / len(released))
        return deviations, low + (high - low) * overall[1:]

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted targets, within `target_bounds_`.
        """
        scores = self._sum_scores(X)
        return np.clip(scores[:, 0], *self.target_bounds_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
