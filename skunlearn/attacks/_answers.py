"""What a model says about rows, in the form in which attacks take it."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import is_classifier, is_regressor
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import to_host
from skunlearn._compat import column_names, num_samples

# The smallest probability told from zero, for models that do not count votes.
_LEAST = 1e-12

FROM_SCORES = "posteriors made of decision_function: the victim has no predict_proba"
FROM_LABELS = "labels only: the victim has neither predict_proba nor decision_function"
BY_PREDICTION = "no labels given: rows are scored by the label that the victim predicts"


@dataclass(frozen=True)
class Answers:
    """Answers of one model about rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_classes), or (n_rows, 1) for a regressor
        Posteriors, or predicted targets; on the host.

    classes : ndarray of shape (n_classes,) or None
        Classes in the order of the columns; None for a regressor.

    least : float
        The smallest probability that is told from none.

    notes : tuple of str
        What had to be assumed to get them.
    """

    values: np.ndarray
    classes: np.ndarray | None
    least: float = _LEAST
    notes: tuple[str, ...] = ()

    def codes_of(self, y: Any) -> np.ndarray:
        """Return the columns of labels.

        Raises
        ------
        ValueError
            If the model does not know one of the labels.
        """
        assert self.classes is not None
        return codes_in(self.classes, y)

    def logits(self, y: Any) -> np.ndarray:
        """Return how confident the model is of the rows' targets, shape (n_rows,).

        For a classifier the logarithm of the odds of the label, with probabilities kept from zero
        and one; for a regressor minus the logarithm of the squared error.
        """
        if self.classes is None:
            gap = self.values[:, 0] - np.asarray(y, dtype=np.float64)
            return -np.log(np.maximum(gap**2, np.finfo(np.float64).tiny))
        codes = self.codes_of(y)
        rows = np.arange(codes.size)
        own = self.values[rows, codes]
        others = self.values.sum(axis=1) - own
        # Where one class has nearly all, what is short of it is the sum of the others, not 1 - p.
        sure = own > 0.5
        rest = self.values[sure].copy()
        rest[np.arange(len(rest)), codes[sure]] = 0.0
        others[sure] = rest.sum(axis=1)
        return np.log(np.maximum(own, self.least)) - np.log(np.maximum(others, self.least))


def codes_in(classes: np.ndarray, y: Any) -> np.ndarray:
    """Return the positions of labels among sorted classes.

    Raises
    ------
    ValueError
        If a label is not one of them.
    """
    y = np.asarray(y)
    codes = np.minimum(np.searchsorted(classes, y), classes.size - 1)
    unknown = classes[codes] != y
    if unknown.any():
        missing = np.unique(y[unknown])[:10].tolist()
        raise ValueError(
            f"Labels {missing} are none of the model's classes {classes[:10].tolist()}: an attack "
            "says nothing of classes that a model has not seen."
        )
    return codes


def ask(model: Any, X: Any) -> Answers:
    """Ask a fitted model about rows.

    Parameters
    ----------
    model : estimator
        A classifier, asked for `predict_proba`, or where it has none for `decision_function` or
        `predict`; a regressor, asked for `predict`.

    X : array-like, sparse matrix or data frame of shape (n_rows, n_features)
        Rows, of any kind that the model takes; answers come to the host.

    Returns
    -------
    answers : Answers

    Raises
    ------
    ValueError
        If the model was fitted on other columns.

    TypeError
        If it is neither a classifier nor a regressor.
    """
    check_is_fitted(model)
    _check_columns(model, X)
    if is_regressor(model):
        values = np.asarray(to_host(model.predict(X)), dtype=np.float64)
        return Answers(values.reshape(len(values), -1), None)
    if not is_classifier(model):
        raise TypeError(
            f"Attacks ask classifiers and regressors; {type(model).__name__} is neither."
        )
    classes = np.asarray(to_host(model.classes_))
    if hasattr(model, "predict_proba"):
        values = np.asarray(to_host(model.predict_proba(X)), dtype=np.float64)
        return Answers(values, classes, _least_told(model))
    if hasattr(model, "decision_function"):
        scores = np.asarray(to_host(model.decision_function(X)), dtype=np.float64)
        if scores.ndim == 1:
            scores = np.column_stack([np.zeros_like(scores), scores])
        if scores.shape[1] == classes.size:
            return Answers(softmax(scores, axis=1), classes, notes=(FROM_SCORES,))
    labels = codes_in(classes, to_host(model.predict(X)))
    return Answers(np.eye(classes.size)[labels], classes, 0.25, notes=(FROM_LABELS,))


def _least_told(model: Any) -> float:
    """Return half a vote's worth of probability, where a model counts votes."""
    while hasattr(model, "steps") or hasattr(model, "best_estimator_"):
        model = model.steps[-1][1] if hasattr(model, "steps") else model.best_estimator_
    if hasattr(model, "tree_"):
        return 0.25
    is_sum = hasattr(model, "learning_rate")  # boosted trees add up, they do not vote
    for name in () if is_sum else ("n_estimators", "n_shards", "n_neighbors"):
        n_votes = getattr(model, name, None)
        if isinstance(n_votes, Integral) and int(n_votes) > 0:
            return 0.5 / (int(n_votes) + 1.0)
    return _LEAST


def _check_columns(model: Any, X: Any) -> None:
    """Refuse rows of other columns than those of the model, by name where both have names."""
    expected = getattr(model, "n_features_in_", None)
    shape = getattr(X, "shape", None)
    found = shape[1] if shape is not None and len(shape) == 2 else None
    names, known = column_names(X), getattr(model, "feature_names_in_", None)
    if names is not None and known is not None and list(names) != list(known):
        others = sorted({str(n) for n in names} ^ {str(n) for n in known})[:10]
        raise ValueError(
            f"The victim, {type(model).__name__}, was fitted on other columns than these rows "
            f"have, or on the same in another order; differing: {others}."
        )
    if expected is not None and found is not None and found != expected:
        raise ValueError(
            f"The victim, {type(model).__name__}, was fitted on {expected} columns; these rows "
            f"have {found}."
        )


def targets_of(answers: Answers, y: Any, n_rows: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the targets by which rows are scored, and what to say of it.

    Parameters
    ----------
    answers : Answers
        Of the victim.

    y : array-like of shape (n_rows,) or None
        None takes the label that the victim predicts; a regressor's targets have to be given.

    n_rows : int
    """
    if y is not None:
        y = np.asarray(to_host(y))
        if y.shape != (n_rows,):
            raise ValueError(f"y must have shape ({n_rows},), one target per row; got {y.shape}.")
        return y, ()
    if answers.classes is None:
        raise ValueError("A regressor is attacked with targets: pass y.")
    return answers.classes[answers.values.argmax(axis=1)], (BY_PREDICTION,)


def n_rows_of(X: Any) -> int:
    """Return the number of rows."""
    return int(num_samples(X))
