"""Models that the attacker trains, of which is known who is in them."""

from __future__ import annotations

from contextlib import closing
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skunlearn._array_api import to_host
from skunlearn._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    callback_context,
    column_names,
    fit_context,
    safe_indexing,
)
from skunlearn._samples.hashing import derive_seed, draw_seed, hash_ids, set_seeds
from skunlearn._samples.ids import as_keys, check_sample_ids
from skunlearn._samples.tables import as_table, hash_rows, like
from skunlearn.attacks._answers import Answers, ask, codes_in, n_rows_of

# Rows of a class that each shadow model has, and lacks, at least.
_FEWEST = 1


class ShadowModels(CallbackSupportMixin, BaseEstimator):
    """Models trained on random parts of the attacker's own rows, to compare a victim with.

    Each row is in the same number of models, exactly `sample_fraction` of them, and out of the
    others. Rows of one id, and rows that are equal, are in and out together. The design is balanced
    within each class, so that all models see all classes. One such object serves many attacks.

    Parameters
    ----------
    estimator : estimator
        The kind of model that the victim is thought to be: any classifier or regressor.

    n_models : int, default=8
        How many; `sample_fraction` of them must be a whole number.

    sample_fraction : float, default=0.5
        Share of the rows that each model is trained on.

    reseed : bool, default=True
        Whether each model has random states of its own. False leaves those of `estimator`: an
        attacker who knows the victim's is flattered by it.

    random_state : int, RandomState instance or None, default=None
        Seed of the design and of the models.

    n_jobs : int, default=None
        Models that are fitted at once.

    Attributes
    ----------
    in_ : ndarray of shape (n_models, n_rows), dtype bool
        Which rows each model was trained on.

    logits_ : ndarray of shape (n_models, n_rows), float64
        How confident each model is of each row's target: the logarithm of the odds of the label,
        or minus that of the squared error.

    estimators_ : list of estimator
        The models; predictors without rows where the estimator has these.

    classes_ : ndarray of shape (n_classes,) or None
        Class labels; None for regressors.

    n_features_in_ : int
        Number of columns.

    sample_ids_ : ndarray of shape (n_rows,)
        Ids of the rows.

    References
    ----------
    .. [1] Carlini, Chien, Nasr, Song, Terzis, Tramer: Membership inference attacks from first
       principles, IEEE Symposium on Security and Privacy 2022, section VI.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skunlearn.attacks import RMIA, LiRA, ShadowModels
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> shadows = ShadowModels(DecisionTreeClassifier(), n_models=8, random_state=0).fit(X, y)
    >>> shadows.in_.sum(axis=0).tolist() == [4] * len(y)
    True
    >>> victim = DecisionTreeClassifier(random_state=1).fit(X[::2], y[::2])
    >>> LiRA(shadow_models=shadows).fit(X, y).score_samples(victim, X, y).shape
    (569,)
    >>> RMIA(shadow_models=shadows.more(8)).fit(X, y).score_samples(victim, X, y).shape
    (569,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_models": [Interval(Integral, 2, None, closed="left")],
        "sample_fraction": [Interval(Real, 0.0, 1.0, closed="neither")],
        "reseed": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator: Any,
        n_models: int = 8,
        *,
        sample_fraction: float = 0.5,
        reseed: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_models = n_models
        self.sample_fraction = sample_fraction
        self.reseed = reseed
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_ids: Any = None) -> Self:
        """Train the models.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
            Rows of the attacker. They are referred to, not copied.

        y : array-like of shape (n_rows,)
            Targets.

        sample_ids : array-like of shape (n_rows,), default=None
            Ids of the rows; default ``X.index`` for a pandas X, else ``0..n_rows-1``.

        Returns
        -------
        self : object
            Fitted models.

        Raises
        ------
        ValueError
            If `sample_fraction` of `n_models` is no whole number, or a class has too few rows for
            every model to have one and lack one.
        """
        n_rows = n_rows_of(X)
        y = np.asarray(to_host(y))
        if y.ndim != 1 or y.size != n_rows:
            raise ValueError(f"y must have shape ({n_rows},), one target per row; got {y.shape}.")
        ids = check_sample_ids(sample_ids, X, n_rows)
        self.sample_ids_ = np.arange(n_rows) if ids.values is None else ids.values
        self.classes_ = np.unique(y) if is_classifier(self.estimator) else None
        self.X, self.y = X, y
        self._seed = draw_seed(self.random_state)
        self._hashes = hash_rows(as_table(X))
        self._unit_of_row = _units(self._hashes, ids.values)
        shape = getattr(X, "shape", None) or np.shape(X)
        self.n_features_in_ = int(shape[1])
        names = column_names(X)
        if names is not None:
            self.feature_names_in_ = names
        self.in_ = np.empty((0, n_rows), dtype=bool)
        self.logits_ = np.empty((0, n_rows))
        self.estimators_: list[Any] = []
        self._train(self.n_models)
        return self

    def more(self, n_models: int) -> Self:
        """Train further models, and leave those that there are as they are.

        Parameters
        ----------
        n_models : int
            How many more; `sample_fraction` of them must be a whole number.

        Returns
        -------
        self : object
            With more models; `n_models` counts them.
        """
        check_is_fitted(self, "in_")
        self._train(n_models)
        self.n_models = len(self.estimators_)
        return self

    def _train(self, n_models: int) -> None:
        first = len(self.estimators_)
        strata = None if self.classes_ is None else codes_in(self.classes_, self.y)
        rng = np.random.default_rng(derive_seed(self._seed, "design", first))
        inside = _design(self._unit_of_row, strata, n_models, self.sample_fraction, rng)
        if self.classes_ is not None and strata is not None:
            _check_classes(inside, strata, self.classes_)
        context = self._init_callback_context(max_subtasks=n_models)
        context.call_on_fit_task_begin(estimator=self, X=self.X, y=self.y)
        models, logits = [], []
        for model, confidence in self._fitted(inside, first):
            models.append(model)
            logits.append(confidence)
        self.estimators_ = [*self.estimators_, *models]
        self.in_ = np.concatenate([self.in_, inside])
        self.logits_ = np.concatenate([self.logits_, np.stack(logits)])
        context.call_on_fit_task_end(
            estimator=self, X=self.X, y=self.y, reconstruction_attributes=dict
        )

    def _fitted(self, inside: np.ndarray, first: int) -> Any:
        """Fit models in parallel, and yield each with its confidence in all rows."""

        def job(number: int) -> Any:
            estimator = clone(self.estimator)
            if self.reseed:
                set_seeds(estimator, self._seed, "shadow", first + number)
            rows = np.flatnonzero(inside[number])
            return delayed(_fit_shadow)(estimator, self.X, self.y, self.sample_ids_, rows)

        context = callback_context(self)
        parallel = Parallel(n_jobs=self.n_jobs, return_as="generator")
        with closing(parallel(map(job, range(len(inside))))) as results:
            for found in results:
                task = context.subcontext(task_name="shadow model")
                task.call_on_fit_task_begin(estimator=self)
                yield found
                task.call_on_fit_task_end(estimator=self)

    def answers(self, X: Any) -> list[Answers]:
        """Ask every model about rows.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
            Rows.

        Returns
        -------
        answers : list of Answers
            One per model.
        """
        check_is_fitted(self, "in_")
        return list(
            Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(ask)(model, X) for model in self.estimators_
            )
        )

    def find(self, X: Any) -> np.ndarray:
        """Find rows in the pool by value.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
            Rows.

        Returns
        -------
        positions : ndarray of shape (n_rows,), intp
            Where each row, or one equal to it, is in the pool; -1 if nowhere.
        """
        check_is_fitted(self, "in_")
        if X is self.X:
            return np.arange(self._hashes.size)
        sought = hash_rows(like(as_table(safe_indexing(self.X, np.arange(1))), X))
        order = np.argsort(self._hashes, kind="stable")
        at = np.searchsorted(self._hashes[order], sought)
        found = order[np.minimum(at, order.size - 1)]
        return np.where(self._hashes[found] == sought, found, -1)

    def seen(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return how confident the models are of rows, and which were trained on them.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
            Rows of the pool or others.

        y : array-like of shape (n_rows,)
            Their targets.

        Returns
        -------
        logits : ndarray of shape (n_models, n_rows)
            As `logits_`.

        inside : ndarray of shape (n_models, n_rows), dtype bool
            As `in_`; False for rows that are not in the pool.
        """
        at, y = self.find(X), np.asarray(y)
        inside = np.where(at >= 0, self.in_[:, at], False)
        known = (at >= 0) & (self.y[at] == y)
        logits = np.empty(inside.shape)
        logits[:, known] = self.logits_[:, at[known]]
        if not known.all():
            others = np.flatnonzero(~known)
            for number, answers in enumerate(self.answers(safe_indexing(X, others))):
                logits[number, others] = answers.logits(y[others])
        return logits, inside


def _fit_shadow(
    estimator: Any, X: Any, y: np.ndarray, ids: np.ndarray, rows: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Fit one model, perhaps in another process; its predictor and its confidence in all rows."""
    named = {"sample_ids": ids[rows]} if has_fit_parameter(estimator, "sample_ids") else {}
    estimator.fit(safe_indexing(X, rows), y[rows], **named)
    model = estimator.to_predictor() if hasattr(estimator, "to_predictor") else estimator
    return model, ask(model, X).logits(y)


def _units(hashes: np.ndarray, ids: np.ndarray | None) -> np.ndarray:
    """Give rows of one id, and equal rows, one number: they are in models together."""
    of_value = np.unique(hashes, return_inverse=True)[1]
    if ids is None:
        return of_value
    of_id = np.unique(hash_ids(as_keys(ids)), return_inverse=True)[1] + of_value.max() + 1
    n_nodes = int(of_id.max()) + 1
    graph = sparse.coo_array((np.ones(of_id.size), (of_value, of_id)), shape=(n_nodes, n_nodes))
    return connected_components(graph, directed=False)[1][of_value]


def _design(
    unit_of_row: np.ndarray,
    strata: np.ndarray | None,
    n_models: int,
    fraction: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Decide which rows each model has, shape (n_models, n_rows).

    Each unit is in exactly `fraction` of the models: those which have the fewest rows of its class
    so far, ties broken at random.
    """
    n_in = round(fraction * n_models)
    if abs(n_in - fraction * n_models) > 1e-9 or not 0 < n_in < n_models:
        raise ValueError(
            f"sample_fraction={fraction} of {n_models} models is no whole number of models that a "
            "row is in, with others that it is not in: choose another number of models."
        )
    units, first, number, sizes = np.unique(
        unit_of_row, return_index=True, return_inverse=True, return_counts=True
    )
    stratum = np.zeros(units.size, dtype=np.intp) if strata is None else strata[first]
    inside = np.zeros((n_models, units.size), dtype=bool)
    for each in np.unique(stratum):
        fill = np.zeros(n_models)
        for unit in rng.permutation(np.flatnonzero(stratum == each)):
            chosen = np.argsort(fill + rng.random(n_models) * 0.5, kind="stable")[:n_in]
            inside[chosen, unit] = True
            fill[chosen] += sizes[unit]
    return inside[:, number]


def _check_classes(inside: np.ndarray, strata: np.ndarray, classes: np.ndarray) -> None:
    """Refuse designs in which a model has no row of a class."""
    for code, label in enumerate(classes.tolist()):
        per_model = inside[:, strata == code].sum(axis=1)
        if per_model.min() < _FEWEST:
            raise ValueError(
                f"Too few shadow rows: class {label!r} has {int((strata == code).sum())} rows, not "
                f"enough for each of {len(inside)} models to have one."
            )
