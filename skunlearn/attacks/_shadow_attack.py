"""Attacks that compare a victim with shadow models."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import HasMethods, Interval, fit_context
from skunlearn.attacks._answers import Answers, ask, n_rows_of, targets_of
from skunlearn.attacks._membership_attack import MembershipAttack
from skunlearn.attacks._shadow_models import ShadowModels

# Shadow models that play the victim, for scores to become probabilities.
_MOST_VICTIMS = 8

_EVERY_ROW_IN = (
    "{} rows have no shadow model that was trained without them, of which to learn how a model "
    "speaks of a row that it has not seen: train more shadow models, or on fewer rows each."
)


class ShadowAttack(MembershipAttack):
    """An attack that takes a victim for one more shadow model, and asks on which side it is.

    Subclasses compare in `_compare`.
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "shadow_models": [ShadowModels, None],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_models": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    shadow_models: ShadowModels | None
    estimator: Any
    n_models: int
    random_state: Any
    n_jobs: int | None

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any = None, y: Any = None, sample_ids: Any = None) -> Self:
        """Train shadow models, unless `shadow_models` are trained already.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_rows, n_features), default=None
            Rows of the attacker; the rows to be scored can be among them. Not needed with trained
            `shadow_models`.

        y : array-like of shape (n_rows,), default=None
            Their targets.

        sample_ids : array-like of shape (n_rows,), default=None
            Ids of the rows; rows of one id are in a model together.

        Returns
        -------
        self : object
            Fitted attack.

        Raises
        ------
        ValueError
            If there is neither `shadow_models` nor `estimator`, or trained shadow models are of
            other rows than these.
        """
        shadows = self.shadow_models
        if shadows is None:
            if self.estimator is None:
                raise ValueError(
                    f"{type(self).__name__} trains models like the victim: pass estimator=, the "
                    "kind of model that it is thought to be, or shadow_models=."
                )
            shadows = ShadowModels(
                self.estimator, self.n_models, random_state=self.random_state, n_jobs=self.n_jobs
            )
        if not hasattr(shadows, "in_"):
            shadows = clone(shadows).fit(X, y, sample_ids)
        elif X is not None:
            _check_rows(shadows, X)
        self.shadow_models_ = shadows
        self.n_features_in_ = shadows.n_features_in_
        return self

    def _check_ready(self) -> None:
        check_is_fitted(self, "shadow_models_")

    @abstractmethod
    def _compare(self, victim: np.ndarray, logits: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Score rows by what a victim and shadow models say.

        Parameters
        ----------
        victim : ndarray of shape (n_rows,)
            The victim's confidence, as ``ShadowModels.logits_`` has that of shadow models.
        logits : ndarray of shape (n_models, n_rows)
        inside : ndarray of shape (n_models, n_rows), dtype bool

        Returns
        -------
        scores : ndarray of shape (n_rows,)
        """

    def _told(self, model: Any, compared: np.ndarray) -> np.ndarray:
        """Return what users get for what the comparison gave, in the same order."""
        return compared

    def _score(self, model: Any, answers: Answers, X: Any, y: np.ndarray) -> np.ndarray:
        return self._told(model, self._compared(answers, X, y))

    def _compared(self, answers: Answers, X: Any, y: np.ndarray) -> np.ndarray:
        shadows = self.shadow_models_
        if (answers.classes is None) != (shadows.classes_ is None):
            raise ValueError("The victim and the shadow models are not of one kind of task.")
        if answers.classes is not None and shadows.classes_ is not None:
            unknown = np.setdiff1d(answers.classes, shadows.classes_)
            if unknown.size:
                raise ValueError(
                    "The victim has classes that no shadow model has seen: "
                    f"{unknown[:10].tolist()}."
                )
        logits, inside = shadows.seen(X, y)
        n_alone = int(inside.all(axis=0).sum())
        if n_alone:
            raise ValueError(_EVERY_ROW_IN.format(n_alone))
        return self._compare(answers.logits(y), logits, inside)

    def predict_proba(self, model: Any, X: Any, y: Any = None) -> np.ndarray:
        """Estimate how likely the model was trained on each row, if half of such rows are members.

        Scores become probabilities by what they are where shadow models play the victim.

        Parameters
        ----------
        model : estimator
            The victim.

        X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
            Rows.

        y : array-like of shape (n_rows,), default=None
            Their targets.

        Returns
        -------
        probabilities : ndarray of shape (n_rows, 2)
            Of a non-member, and of a member.
        """
        self._check_ready()
        answers = ask(model, X)
        scores = self._compared(answers, X, targets_of(answers, y, n_rows_of(X))[0])
        shadows, told, truth = self.shadow_models_, [], []
        for number in range(min(_MOST_VICTIMS, len(shadows.estimators_))):
            others = np.arange(len(shadows.estimators_)) != number
            inside = shadows.in_[others]
            rows = ~inside.all(axis=0)
            told.append(
                self._compare(
                    shadows.logits_[number][rows], shadows.logits_[others][:, rows], inside[:, rows]
                )
            )
            truth.append(shadows.in_[number][rows])
        ends = np.finfo(np.float64)
        known = np.clip(np.concatenate(told), ends.min, ends.max)
        weights = np.concatenate(truth)
        balance = np.where(weights, 0.5 / weights.mean(), 0.5 / (1.0 - weights.mean()))
        scale = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        scale.fit(known, weights.astype(np.float64), sample_weight=balance)
        member = scale.predict(np.clip(scores, ends.min, ends.max))
        return np.column_stack([1.0 - member, member])


def _check_rows(shadows: ShadowModels, X: Any) -> None:
    """Refuse trained models of other rows than are given."""
    if (shadows.find(X) < 0).any():
        raise ValueError(
            "The shadow models were trained on other rows than these: train them on all rows, or "
            "call fit without rows to use them as they are."
        )
