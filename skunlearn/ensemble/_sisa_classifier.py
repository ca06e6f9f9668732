"""SISAClassifier: sharded, isolated training of any classifier."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from skunlearn._compat import StrOptions, fit_context
from skunlearn._samples.strings import narrowed
from skunlearn.base import reads_one_version
from skunlearn.ensemble._sisa.base import BaseSISA


def _votes_softly(model: SISAClassifier) -> bool:
    if model.voting != "soft":
        raise AttributeError(
            f"predict_proba needs voting='soft', not voting={model.voting!r}, where shards vote "
            "with one label each."
        )
    return True


class SISAClassifier(BaseSISA, ClassifierMixin, BaseEstimator):
    """Classifier over any scikit-learn classifier that forgets by refitting one shard.

    Rows are divided into shards by a hash of their ids, one estimator is fitted in isolation on
    each shard, and the estimators vote (SISA, [1]_). To forget a row is to refit the estimator of
    its shard on the rows that the shard keeps: about one part in `n_shards` of retraining.

    Parameters
    ----------
    estimator : classifier, default=None
        Any scikit-learn classifier, also a pipeline that takes data frames of mixed types; None
        means a :class:`~sklearn.tree.DecisionTreeClassifier`. Every shard gets a clone, in which
        each `random_state` is set from the shard's number.

    n_shards : int, default=5
        Number of shards. More shards forget faster; fewer learn more from the same rows.

    voting : {'soft', 'hard'}, default='soft'
        Mean of the predicted probabilities, or plurality of the predicted labels, ties going to
        the first in `classes_`.

    n_jobs : int, default=None
        Shards fitted at a time, in `fit` and `unlearn`, through joblib.

    random_state : int, RandomState instance or None, default=None
        Seed of the shards and of the estimators in them.

    Attributes
    ----------
    estimators_ : list of classifiers
        Fitted estimators, one for each shard that has rows, by number of the shard. A shard
        whose rows are of one class has a :class:`~sklearn.dummy.DummyClassifier`.

    estimator_ : classifier
        The unfitted estimator that shards get clones of.

    n_samples_per_shard_ : ndarray of shape (n_shards,), dtype int64
        Rows on which each shard's estimator was fitted; those of weight zero do not count.

    classes_ : ndarray of shape (n_classes,)
        Class labels held, sorted.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`, where X has columns.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    SISARegressor : The same over regressors.

    Notes
    -----
    The promise is 'bitwise' provided that the estimator's `fit` gives the same result for the same
    rows in the same order, as scikit-learn's do once their `random_state` is set. All rows that
    share an id are in one shard. Estimators that keep training rows, as nearest neighbours do,
    keep those of their shard in `to_predictor()` too.

    References
    ----------
    .. [1] Bourtoule, Chandrasekaran, Choquette-Choo, Jia, Travers, Zhang, Lie, Papernot: Machine
       Unlearning, IEEE Symposium on Security and Privacy 2021, section IV.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skunlearn.ensemble import SISAClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SISAClassifier(LogisticRegression(max_iter=1000), n_shards=3, random_state=0)
    >>> model.fit(X, y, sample_ids="row numbers").unlearn([7, 12]).score(X, y) > 0.9
    True
    >>> model.unlearning_report_.n_removed
    2
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSISA._parameter_constraints,
        "voting": [StrOptions({"soft", "hard"})],
    }
    _overwritten: ClassVar[tuple[str, ...]] = ("_class_counts",)

    classes_: np.ndarray
    _class_counts: np.ndarray

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_shards: int = 5,
        voting: str = "soft",
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.n_shards = n_shards
        self.voting = voting
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> SISAClassifier:
        """Fit one classifier per shard.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Training rows, handed to the estimators as they are.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none of them negative, where the estimator's `fit` takes them; a
            row of weight zero is left out.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError
            If the estimator is no classifier, lacks what `voting` or `sample_weight` needs, or
            refuses the rows of a shard.
        """
        return self._fit(X, y, sample_weight, sample_ids)

    def _base(self) -> Any:
        return DecisionTreeClassifier() if self.estimator is None else self.estimator

    def _check_base(self, base: Any) -> None:
        name = type(base).__name__
        if not is_classifier(base):
            raise ValueError(f"SISAClassifier needs a classifier as estimator, not {name}.")
        if self.voting == "soft" and not hasattr(base, "predict_proba"):
            raise ValueError(f"voting='soft' needs predict_proba, which {name} lacks: use 'hard'.")

    def _asked(self) -> str:
        return "predict_proba" if self.voting == "soft" else "predict"

    def _check_targets(self, y: Any, base: Any) -> np.ndarray:
        y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"), warn=True)
        check_classification_targets(y)
        return narrowed(y)

    def _describe(self, y: np.ndarray) -> dict[str, Any]:
        classes, counts = np.unique(y, return_counts=True)
        return {"classes_": classes, "_class_counts": counts}

    def _describe_without(self, y: np.ndarray) -> dict[str, Any]:
        counts = self._class_counts - np.bincount(
            np.searchsorted(self.classes_, y), minlength=self.classes_.size
        )
        held = counts > 0
        return {"classes_": narrowed(self.classes_[held]), "_class_counts": counts[held]}

    def _for_shard(self, base: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        if (y == y[0]).all():
            return DummyClassifier(strategy="most_frequent"), None
        return clone(base), sample_weight

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Label of each row, in the dtype of `classes_`.
        """
        winners = np.argmax(self._votes(X), axis=1)
        return self.classes_[winners]

    def _votes(self, X: Any) -> Any:
        if self.voting == "soft":
            return self.predict_proba(X)
        self._check_queries(X)
        return sum(estimator.predict(X)[:, None] == self.classes_ for estimator in self.estimators_)

    @available_if(_votes_softly)
    @reads_one_version
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities: the mean over shards, where voting is 'soft'.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float64
            Columns in the order of `classes_`; a shard gives 0 to classes that it does not hold.
        """
        self._check_queries(X)
        total: Any = 0.0
        for estimator in self.estimators_:
            part = estimator.predict_proba(X)
            aligned = np.zeros((part.shape[0], self.classes_.size))
            aligned[:, np.searchsorted(self.classes_, estimator.classes_)] = part
            total = total + aligned
        return total / len(self.estimators_)

    @available_if(_votes_softly)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of class probabilities, where voting is 'soft'.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes), dtype float64
            Columns in the order of `classes_`; minus infinity where no shard gives a chance.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))
