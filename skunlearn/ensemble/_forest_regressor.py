"""Random forest regressor that forgets rows exactly."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import MultiOutputMixin
from sklearn.utils.validation import check_array, column_or_1d

from skunlearn._compat import StrOptions
from skunlearn._kernels.forest.tree_parts import SQUARED_ERROR
from skunlearn._mixins.scoring import RegressorMixin
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import reads_one_version
from skunlearn.ensemble._forest.base import BaseForest


class UnlearningForestRegressor(MultiOutputMixin, RegressorMixin, BaseForest):
    """Random forest regressor that forgets rows: what is left is the retrained forest, bit by bit.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees.

    criterion : {'squared_error'}, default='squared_error'
        Impurity by which splits are chosen; the sum over outputs.

    max_depth : int, default=None
        Depth of the trees at most.

    min_samples_split : int or float, default=2
        Rows that a node must have to be split; as a float, a share of all rows.

    min_samples_leaf : int or float, default=2
        Rows that a leaf must have; as a float, a share of all rows. More make requests faster,
        and forests of little data coarser.

    max_features : {'sqrt', 'log2'}, int, float or None, default=1.0
        Features that a node tries, of those that vary among its rows.

    max_samples : float, default=0.3
        Share of the trees that each row is in, chosen by its id. Less makes everything faster, and
        above all requests; 1 puts every row in every tree.

    n_candidates : int, default=8
        Thresholds that are tried of each feature at most; of a categorical one, random subsets of
        its categories.

    categorical_features : 'from_dtype', array-like or None, default='from_dtype'
        Columns that hold categories: a boolean mask, positions, or names of columns of a data
        frame; 'from_dtype' takes those of a categorical dtype (``category`` of pandas,
        ``Categorical`` and ``Enum`` of polars). None takes all columns as numbers. See the notes of
        :class:`UnlearningForestClassifier`.

    n_jobs : int, default=None
        Threads.

    random_state : int, RandomState instance or None, default=None
        Seed of the trees. None draws one at fit, which requests keep.

    Attributes
    ----------
    n_outputs_ : int
        Number of targets.

    feature_importances_ : ndarray of shape (n_features,)
        Mean decrease of impurity by each feature.

    is_categorical_ : ndarray of shape (n_features,), dtype bool, or None
        Which columns hold categories; None if none does.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request, with the number of trees of which parts grew anew.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    UnlearningForestClassifier : For classes; its notes say how trees forget.

    Notes
    -----
    Targets are summed as integers: multiples of ``2**-38`` of the power of two above the largest
    absolute target, of ``2**-22`` with sample weights, which are rounded to multiples of
    ``2**-18`` of theirs. When the last row leaves that needs that power of two, all trees grow
    anew.

    References
    ----------
    .. [1] Geurts, Ernst, Wehenkel: Extremely randomized trees, Machine Learning 63, 2006.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.ensemble import UnlearningForestRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = UnlearningForestRegressor(random_state=0)
    >>> model = model.fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> model.score(X, y) > 0.5
    True
    """

    # More rows than this could overflow sums of fixed-point targets.
    _most_rows: ClassVar[dict[bool, int]] = {False: 1 << 24, True: 1 << 22}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseForest._parameter_constraints,
        "criterion": [StrOptions({"squared_error"})],
    }

    _single: bool

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        criterion: str = "squared_error",
        max_depth: int | None = None,
        min_samples_split: Any = 2,
        min_samples_leaf: Any = 2,
        max_features: Any = 1.0,
        max_samples: float = 0.3,
        n_candidates: int = 8,
        categorical_features: Any = "from_dtype",
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        self.n_estimators = n_estimators
        self.criterion = criterion
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.max_samples = max_samples
        self.n_candidates = n_candidates
        self.categorical_features = categorical_features
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True, max_subtasks=1)  # if kernels are compiled
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> UnlearningForestRegressor:
        """Grow the trees.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, held as float32; missing values are NaN, in categorical columns None and
            ``pandas.NA`` as well.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none of them negative.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned, and by which they are assigned to trees; default
            ``X.index`` for a pandas X, else ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted forest.

        Raises
        ------
        ValueError
            If there are more than 2**24 rows, or 2**22 with weights.
        """
        source = X
        X, y, weight = self._check_rows(X, y, sample_weight, y_numeric=True)
        self._single = y.ndim == 1
        y = np.array(y.reshape(len(y), -1), dtype=np.float64, order="C")
        self.n_outputs_ = y.shape[1]
        self._grow(X, y, weight, source, sample_ids)
        return self

    def _criterion(self) -> int:
        return SQUARED_ERROR

    def _n_sums(self) -> int:
        return self.n_outputs_ + 1

    def _targets(self, samples: SampleStore) -> tuple[np.ndarray, np.ndarray]:
        targets: Any = samples.y
        return np.zeros(0, dtype=np.int32), targets

    def _class_factors(self) -> np.ndarray:
        return np.zeros(0)

    def _describe_without(self, rows: np.ndarray) -> dict[str, Any] | None:
        return {}

    def _describe_with(self, y: np.ndarray) -> dict[str, Any] | None:
        return {}

    def _check_more_targets(self, y: Any) -> np.ndarray:
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if y.ndim == 2 and y.shape[1] == 1 and self._single:
            y = column_or_1d(y, warn=True)
        shape = () if self._single else (self.n_outputs_,)
        if y.shape[1:] != shape:
            raise ValueError(f"y must have shape {('n_samples', *shape)}; got {y.shape}.")
        return y

    def _as_held(self, y: np.ndarray) -> np.ndarray:
        return y.reshape(len(y), -1)

    def _fit_targets(self, rows: np.ndarray) -> np.ndarray:
        targets: Any = self._samples.y
        return targets[rows, 0] if self._single else targets[rows]

    def _spread(self, stats: np.ndarray) -> np.ndarray:
        # Up to the sum of squares, of which children have as much as their parent.
        weight = np.where(stats[:, -1] > 0, stats[:, -1], 1).astype(np.float64)
        return -(stats[:, :-1].astype(np.float64) ** 2).sum(axis=1) / weight

    def find_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Find the ids of training rows that equal the given rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows to look for, compared as they are held: float32, categories by their hashes.

        y : array-like of shape (n_queries,) or (n_queries, n_outputs), default=None
            If given, targets must be equal as well.

        Returns
        -------
        sample_ids : ndarray of shape (n_found,)
            Distinct ids of the rows equal to any of the queries, in training order.
        """
        self._check_samples()
        if y is not None:
            y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        return super().find_samples(X, y)

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict targets: the mean over trees of the means in leaves.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of CuPy where they are to be read on a GPU.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        X = self._check_queries(X)
        units = np.full(self.n_outputs_, 1.0 / self._scales[0])
        predicted = self._forest.vote(X, units)
        return predicted[:, 0] if self._single else predicted
