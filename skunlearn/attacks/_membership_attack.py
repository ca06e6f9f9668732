"""What all attacks on one version of a model have in common."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from skunlearn._samples.ids import check_sample_ids
from skunlearn.attacks._answers import Answers, ask, n_rows_of, targets_of
from skunlearn.attacks._result import MembershipResult, membership_result
from skunlearn.attacks._scores import Scores, scores_of
from skunlearn.attacks._threat_model import ThreatModel


class MembershipAttack(BaseEstimator, metaclass=ABCMeta):
    """An attack that tells which rows a model was trained on, from one version of it.

    A subclass has `threat_model`, and scores rows in `_score`.
    """

    threat_model: ClassVar[ThreatModel]

    def _check_ready(self) -> None:
        """Raise unless the attack has learned what it needs."""

    @abstractmethod
    def _score(self, model: Any, answers: Answers, X: Any, y: np.ndarray) -> np.ndarray:
        """Score rows.

        Parameters
        ----------
        model : estimator
            The victim.

        answers : Answers
            What it says about the rows.

        X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
            The rows.

        y : ndarray of shape (n_rows,)
            Targets, or predicted labels.

        Returns
        -------
        scores : ndarray of shape (n_rows,)
        """

    def score_samples(self, model: Any, X: Any, y: Any = None, *, sample_ids: Any = None) -> Scores:
        """Score how likely the model was trained on each row.

        Parameters
        ----------
        model : estimator
            The victim, a fitted classifier or regressor.

        X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
            Rows.

        y : array-like of shape (n_rows,), default=None
            Their targets. None takes the labels that a classifier predicts, and the scores say so.

        sample_ids : array-like of shape (n_rows,), default=None
            Ids of the rows; default ``X.index`` for a pandas X, else ``0..n_rows-1``.

        Returns
        -------
        scores : ndarray of shape (n_rows,)
            In the order of the rows, higher = more likely a member. ``scores.sample_ids`` are their
            ids, ``scores.assumptions`` what was taken for granted.
        """
        self._check_ready()
        n_rows = n_rows_of(X)
        answers = ask(model, X)
        targets, notes = targets_of(answers, y, n_rows)
        values = self._score(model, answers, X, targets)
        return scores_of(values, _ids(sample_ids, X, n_rows), (*answers.notes, *notes))

    def evaluate(
        self,
        model: Any,
        X: Any,
        y: Any,
        is_member: Any,
        *,
        sample_ids: Any = None,
        fpr: tuple[float, ...] = (0.01, 0.1),
    ) -> MembershipResult:
        """Score rows of which it is known whether they are members, and compare.

        Parameters
        ----------
        model : estimator
            The victim.

        X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
            Rows, members and others, drawn from one population.

        y : array-like of shape (n_rows,) or None
            Their targets.

        is_member : array-like of shape (n_rows,), dtype bool
            Whether the model was trained on each.

        sample_ids : array-like of shape (n_rows,), default=None
            As for :meth:`score_samples`.

        fpr : tuple of float, default=(0.01, 0.1)
            False positive rates to tell the true positive rates for.

        Returns
        -------
        result : MembershipResult
        """
        self._check_apart(X)
        scores = self.score_samples(model, X, y, sample_ids=sample_ids)
        return membership_result(
            scores,
            np.asarray(is_member),
            X=X,
            fpr=fpr,
            attack=type(self).__name__,
            assumptions=scores.assumptions,
            sample_ids=scores.sample_ids,
        )

    def _check_apart(self, X: Any) -> None:
        """Raise if rows are among those from which the attack learned who is a member."""


def _ids(sample_ids: Any, X: Any, n_rows: int) -> np.ndarray:
    values = check_sample_ids(sample_ids, X, n_rows).values
    return np.arange(n_rows) if values is None else values
