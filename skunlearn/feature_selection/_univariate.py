"""Selectors by a score of each feature: scores that follow requests, and masks made of them."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted

from skunlearn._kernels.column_moments import PER_UPDATE
from skunlearn._linalg.precision import EPS
from skunlearn._statistics.column_moments import TOLERANCE
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Guarantee, Removal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.feature_selection._scorers import (
    SCORERS,
    ChiSquareScorer,
    CorrelationScorer,
    Scorer,
    repeats_itself,
)
from skunlearn.feature_selection._selector import NEAR, BaseSelector, RemainingRows


def comparable(scores: np.ndarray) -> np.ndarray:
    """Put the least number in the place of scores that are NaN, as scikit-learn does."""
    scores = np.array(scores, dtype=np.result_type(scores.dtype, np.float32))
    scores[np.isnan(scores)] = np.finfo(scores.dtype).min
    return scores


class BaseFilter(BaseSelector):
    """Scores for all univariate selectors; a subclass makes a mask of them."""

    _overwritten: ClassVar[tuple[str, ...]] = ("_scorer",)

    _parameter_constraints: ClassVar[dict[str, Any]] = {"score_func": [callable]}
    score_func: Any
    scores_: np.ndarray
    pvalues_: np.ndarray | None
    _scorer: Scorer | None

    @abstractmethod
    def _mask(self, scores: np.ndarray, pvalues: Any) -> np.ndarray:
        """Select features by their scores and p-values."""

    @abstractmethod
    def _undecided(self, scores: np.ndarray, pvalues: np.ndarray, scorer: Scorer) -> np.ndarray:
        """List the features of which rounding decides whether they are selected."""

    def _check_selection(self, n_features: int) -> None:
        """Warn about parameters that do not suit the number of features."""

    def _scorer_class(self) -> type[Scorer] | None:
        """Return what follows requests for the score function, if anything does."""
        known = (maker for function, maker in SCORERS.items() if function is self.score_func)
        return next(known, None)

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        if self._scorer_class() is not None:
            return UnlearningTags("numerical", tolerance=TOLERANCE)
        return UnlearningTags("bitwise" if repeats_itself(self.score_func) else "distributional")

    def _assumptions(self) -> str | None:
        if self._unlearning_tags.kind != "distributional":
            return None
        return "what score_func draws, if anything, depends on no earlier call"

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> Self:
        """Score the features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets; None only where `score_func` needs none.

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
            If `score_func` is `f_classif` or `chi2` and y has a single class, or it is `chi2` and
            an entry of X is negative or 2**40 or more.
        """
        sources, maker = (X, y, None), self._scorer_class()
        checks: dict[str, Any] = {"accept_sparse": "csr"}
        if maker is not None:
            checks["dtype"] = [np.float64, np.float32]
        elif y is not None:
            checks["multi_output"] = True
        if y is None and maker is None:
            X = validate_data(self, X, **checks)
        else:
            X, y = validate_data(self, X, y, **checks)
        if maker is CorrelationScorer:
            y = column_or_1d(y, dtype=np.float64)
        self._check_selection(X.shape[1])
        self._hold_samples(X, y, sources=sources, sample_ids=sample_ids)
        samples, scorer = self._samples, None
        if maker is not None:
            scorer = maker.from_rows(samples.X, samples.y, samples.slots())
            self._warn_of_constants(scorer)
        self.__dict__.update(
            self._attributes(scorer, RemainingRows(samples, np.empty(0, dtype=np.intp)))
        )
        return self

    @staticmethod
    def _warn_of_constants(scorer: Scorer) -> None:
        constant = scorer.constant()
        if constant.size:
            warnings.warn(f"Features {constant} are constant.", UserWarning, stacklevel=5)

    def _attributes(self, scorer: Scorer | None, remaining: RemainingRows) -> dict[str, Any]:
        """Score the remaining rows, by a scorer or by a function that only knows rows."""
        samples = self._samples
        if scorer is None:
            scores, pvalues = self._called(*samples.take(remaining.slots)[:2])
        else:
            scores, pvalues = scorer.scores()
            columns = self._undecided(scores, pvalues, scorer)
            if columns.size:
                scorer.rebuild(samples.X, samples.y, remaining.slots, columns)
                scores, pvalues = scorer.scores()
                self._follow(scores, pvalues, remaining.slots, columns)
        return {"_scorer": scorer, "scores_": scores, "pvalues_": pvalues}

    def _called(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray | None]:
        result = self.score_func(X, y)
        if isinstance(result, list | tuple):
            scores, pvalues = result
            return np.array(scores), np.array(pvalues)
        return np.array(result), None

    def _follow(
        self, scores: np.ndarray, pvalues: np.ndarray, rows: np.ndarray, columns: np.ndarray
    ) -> None:
        """Take scikit-learn's own scores of some columns, where they are ours up to rounding."""
        # Of all columns: how they are summed depends on how many there are.
        X, y, _ = self._samples.take(rows)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            namesake_scores, namesake_pvalues = self._called(X.astype(np.float64), y)
        close = np.abs(namesake_scores[columns] - scores[columns]) <= TOLERANCE * np.abs(
            scores[columns]
        )
        columns = columns[close]
        scores[columns] = namesake_scores[columns]
        if namesake_pvalues is not None:
            pvalues[columns] = namesake_pvalues[columns]

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        remaining = RemainingRows(samples, rows)
        n_features = self.n_features_in_
        try:
            if self._scorer is None:
                attributes = self._attributes(None, remaining)
                kind = self._unlearning_tags.kind
                guarantee = Guarantee(kind, assumptions=self._assumptions())
                return Removal(
                    attributes, guarantee, n_features, n_features, "column", n_passes=1.0
                )
            scorer = self._scorer.without(samples.X, samples.y, rows)
        except ValueError as refusal:
            raise NotUnlearnableError(f"{refusal} Nothing was changed.") from refusal
        error = scorer.error(scorer.scores()[0])
        columns = np.flatnonzero(error > TOLERANCE)
        if columns.size:
            scorer.rebuild(samples.X, samples.y, remaining.slots, columns)
            error[columns] = PER_UPDATE * EPS
        guarantee = Guarantee("numerical", "state", TOLERANCE, float(error.max()))
        return Removal(
            self._attributes(scorer, remaining),
            guarantee,
            columns.size,
            n_features,
            "column",
            n_passes=columns.size / n_features,
        )

    def _cost(self, rows: np.ndarray) -> Foretold:
        if self._scorer is None:
            n_features = self.n_features_in_
            return self._cost_of_fit(rows, n_features, "column"), None
        return super()._cost(rows)

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self._mask(self.scores_, self.pvalues_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        known = self._scorer_class()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = known is ChiSquareScorer
        tags.target_tags.required = known is not None
        tags.target_tags.one_d_labels = known not in (None, CorrelationScorer)
        return tags


class BaseScoreFilter(BaseFilter):
    """Selectors of the highest scores."""

    def _undecided(self, scores: np.ndarray, pvalues: np.ndarray, scorer: Scorer) -> np.ndarray:
        mask, limits = self._mask(scores, pvalues), np.finfo(scores.dtype)
        size = np.clip(comparable(scores), limits.min, limits.max)
        if mask.all() or not mask.any():
            return np.empty(0, dtype=np.intp)
        lowest, highest = size[mask].min(), size[~mask].max()
        slack = NEAR * max(abs(lowest), abs(highest))
        with np.errstate(over="ignore"):
            near = np.where(mask, size - highest <= slack, lowest - size <= slack)
        near &= (np.abs(size) < limits.max) & (size != 0.0)  # these are what they are
        return np.flatnonzero(near) if near.sum() > 1 else np.empty(0, dtype=np.intp)


class BasePvalueFilter(BaseFilter):
    """Selectors of small p-values."""

    def _undecided(self, scores: np.ndarray, pvalues: np.ndarray, scorer: Scorer) -> np.ndarray:
        with np.errstate(over="ignore"):
            more, less = scores * (1.0 + NEAR), scores * (1.0 - NEAR)
        return np.flatnonzero(
            self._mask(more, scorer.pvalues(more)) != self._mask(less, scorer.pvalues(less))
        )
