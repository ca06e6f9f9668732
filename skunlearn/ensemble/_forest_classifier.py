"""Random forest classifier that forgets rows exactly."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import special
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from skunlearn._array_api import labels_of
from skunlearn._compat import StrOptions
from skunlearn._kernels.forest.tree_parts import ENTROPY, GINI
from skunlearn._mixins.labels import codes_of, codes_of_queries, counts_without, encoded
from skunlearn._mixins.log_probabilities import LogProbabilityMixin
from skunlearn._mixins.scoring import ClassifierMixin
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import reads_one_version
from skunlearn.ensemble._forest.base import BaseForest


class UnlearningForestClassifier(LogProbabilityMixin, ClassifierMixin, BaseForest):
    """Random forest classifier that forgets rows: what is left is the retrained forest, bit by bit.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees.

    criterion : {'gini', 'entropy', 'log_loss'}, default='gini'
        Impurity by which splits are chosen; the latter two are the same.

    max_depth : int, default=None
        Depth of the trees at most.

    min_samples_split : int or float, default=2
        Rows that a node must have to be split; as a float, a share of all rows.

    min_samples_leaf : int or float, default=3
        Rows that a leaf must have; as a float, a share of all rows. More make requests faster,
        and forests of little data coarser.

    max_features : {'sqrt', 'log2'}, int, float or None, default='sqrt'
        Features that a node tries, of those that vary among its rows.

    max_samples : float, default=0.2
        Share of the trees that each row is in, chosen by its id. Less makes everything faster, and
        above all requests; 1 puts every row in every tree.

    n_candidates : int, default=8
        Thresholds that are tried of each feature at most; of a categorical one, random subsets of
        its categories.

    categorical_features : 'from_dtype', array-like or None, default='from_dtype'
        Columns that hold categories: a boolean mask, positions, or names of columns of a data
        frame; 'from_dtype' takes those of a categorical dtype (``category`` of pandas,
        ``Categorical`` and ``Enum`` of polars). None takes all columns as numbers. See Notes.

    class_weight : dict or 'balanced', default=None
        Weights of the classes; 'balanced' is chosen anew with each request, which then grows all
        trees anew.

    n_jobs : int, default=None
        Threads.

    random_state : int, RandomState instance or None, default=None
        Seed of the trees. None draws one at fit, which requests keep.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

    n_classes_ : int
        Number of classes.

    n_outputs_ : int
        1.

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
    SISAClassifier : Shards of any classifier.

    Notes
    -----
    A tree is a function of the seed, its number and the set of its rows. Each node tries
    thresholds from a grid whose step is a power of two and whose position is a hash of the node's
    path; sums are sums of integers. A row that leaves changes the sums of the nodes on its path,
    and where another split is better then, the subtree below grows anew.

    Categories are numbers, strings, times or pandas intervals, in no order. Equal values are one
    category, whatever the type that holds them: 3 and 3.0, but not '3'. None, NaN and
    ``pandas.NA`` are missing values. A split sends each category to the side that a hash of its
    value says, so a column may have any number of categories, and the model keeps no list of them:
    one that no row has, or has any more, goes where its hash sends it. Hashes have 32 bits: any two
    of c categories are one to the model with a probability of about ``c**2 / 2**33``.

    References
    ----------
    .. [1] Geurts, Ernst, Wehenkel: Extremely randomized trees, Machine Learning 63, 2006.
    .. [2] Brophy, Lowd: Machine unlearning for random forests, ICML 2021 (cached statistics).
    .. [3] Wang et al.: DynFrs: an efficient framework for machine unlearning in random forest,
       ICLR 2025 (each row in a share of the trees).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skunlearn.ensemble import UnlearningForestClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = UnlearningForestClassifier(random_state=0)
    >>> model = model.fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> model.score(X, y) > 0.9
    True

    Categories, of which one goes with its last row:

    >>> import numpy as np
    >>> X = np.array([["ant", 1.0], ["bee", 2.0], ["ant", 3.0], ["cat", None]], dtype=object)
    >>> options = {"min_samples_leaf": 1, "max_samples": 1.0, "categorical_features": [0]}
    >>> model = UnlearningForestClassifier(**options, random_state=0)
    >>> model.fit(X, [0, 1, 0, 1], sample_ids="row numbers").unlearn(3).predict(X[:3])
    array([0, 1, 0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseForest._parameter_constraints,
        "criterion": [StrOptions({"gini", "entropy", "log_loss"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _overwritten: ClassVar[tuple[str, ...]] = ("_class_weight", "_n_per_class")

    classes_: np.ndarray
    _n_per_class: np.ndarray
    _class_weight: np.ndarray

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        criterion: str = "gini",
        max_depth: int | None = None,
        min_samples_split: Any = 2,
        min_samples_leaf: Any = 3,
        max_features: Any = "sqrt",
        max_samples: float = 0.2,
        n_candidates: int = 8,
        categorical_features: Any = "from_dtype",
        class_weight: Any = None,
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
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True, max_subtasks=1)  # if kernels are compiled
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> UnlearningForestClassifier:
        """Grow the trees.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, held as float32; missing values are NaN, in categorical columns None and
            ``pandas.NA`` as well.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none of them negative.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned, and by which they are assigned to trees; default
            ``X.index`` for a pandas X, else ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted forest.
        """
        source = X
        X, y, weight = self._check_rows(X, y, sample_weight)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, codes = encoded(y)
        counted = codes if weight is None else codes[weight > 0.0]
        self._n_per_class = np.bincount(codes, minlength=self.classes_.size)
        self._class_weight = self._weights_of_classes(
            np.bincount(counted, minlength=self.classes_.size)
        )
        self.n_classes_, self.n_outputs_ = self.classes_.size, 1
        self._grow(X, codes.astype(np.int32), weight, source, sample_ids)
        return self

    def _weights_of_classes(self, counts: np.ndarray) -> np.ndarray:
        if self.class_weight is None:
            return np.ones(counts.size)
        if self.class_weight == "balanced":
            return counts.sum() / (counts.size * np.maximum(counts, 1))
        return compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)

    def _criterion(self) -> int:
        return GINI if self.criterion == "gini" else ENTROPY

    def _n_sums(self) -> int:
        return self.classes_.size

    def _targets(self, samples: SampleStore) -> tuple[np.ndarray, np.ndarray]:
        labels: Any = samples.y
        return labels, np.zeros((0, 0))

    def _class_factors(self) -> np.ndarray:
        return self._class_weight

    def _describe_without(self, rows: np.ndarray) -> dict[str, Any] | None:
        codes: Any = self._samples.y
        remaining = counts_without(self._n_per_class, codes[rows])
        if self.class_weight == "balanced" or not all(remaining.tolist()):
            return None
        return {"_n_per_class": remaining}

    def _describe_with(self, y: np.ndarray) -> dict[str, Any] | None:
        if self.class_weight == "balanced" or not np.isin(y, self.classes_).all():
            return None
        codes = self._as_held(y)
        more = np.bincount(codes, minlength=self.classes_.size)
        return {"_n_per_class": self._n_per_class + more}

    def _check_more_targets(self, y: Any) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        return y

    def _as_held(self, y: np.ndarray) -> np.ndarray:
        return codes_of(self.classes_, y).astype(np.int32)

    def _fit_targets(self, rows: np.ndarray) -> np.ndarray:
        codes: Any = self._samples.y
        return self.classes_[codes[rows]]

    def _spread(self, stats: np.ndarray) -> np.ndarray:
        sums = stats * self._class_weight
        total = sums.sum(axis=1)
        safe = np.where(total > 0.0, total, 1.0)
        if self._criterion() == GINI:
            return total - (sums**2).sum(axis=1) / safe
        return special.entr(sums / safe[:, None]).sum(axis=1) * total

    def find_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Find the ids of training rows that equal the given rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows to look for, compared as they are held: float32, categories by their hashes.

        y : array-like of shape (n_queries,), default=None
            If given, labels must be equal as well.

        Returns
        -------
        sample_ids : ndarray of shape (n_found,)
            Distinct ids of the rows equal to any of the queries, in training order.
        """
        self._check_samples()
        if y is not None:
            y = codes_of_queries(self.classes_, y)
        return super().find_samples(X, y)

    @reads_one_version
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities: the mean over trees of the shares in leaves.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of CuPy where they are to be read on a GPU.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        X = self._check_queries(X)
        return self._forest.vote(X, self._class_weight)

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of CuPy where they are to be read on a GPU.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Labels from `classes_`, on the host.
        """
        return labels_of(self.predict_proba(X), self.classes_)
