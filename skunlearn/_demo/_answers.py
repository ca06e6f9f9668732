"""What a model tells about a row, and how wrong it is: the view an attacker and a user share."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import r2_score


def posterior(model: Any, X: Any, n_classes: int) -> np.ndarray:
    """Return what the model says about each class, or the predicted value.

    Parameters
    ----------
    model : estimator
        Fitted on class numbers, or a regressor.

    X : ndarray or data frame of shape (n_samples, n_features)
        Rows.

    n_classes : int
        Number of classes; 0 for regression.

    Returns
    -------
    answers : ndarray of shape (n_samples, max(1, n_classes))
        A classifier's probabilities, 0 for classes it has not; for a regressor fitted on classes
        0 and 1, ``[1 - f, f]``; else the predicted values.
    """
    if is_classifier(model):
        answers = np.zeros((len(X), n_classes))
        answers[:, model.classes_] = model.predict_proba(X)
        return answers
    value = model.predict(X)
    return np.column_stack([1 - value, value]) if n_classes else value[:, None]


def labels_only(answers: np.ndarray) -> np.ndarray:
    """Keep the predicted label alone, as a one-hot row."""
    return np.eye(answers.shape[1])[answers.argmax(axis=1)]


def row_loss(answers: np.ndarray, y: np.ndarray, *, squared: bool) -> np.ndarray:
    """Return the loss of each row: log loss, or squared error.

    Parameters
    ----------
    answers : ndarray of shape (n_samples, n_outputs)
        From :func:`posterior`.

    y : ndarray of shape (n_samples,)
        Class numbers or targets.

    squared : bool
        Whether squared error is what the model minimises.

    Returns
    -------
    loss : ndarray of shape (n_samples,)
    """
    if answers.shape[1] == 1:
        return (answers[:, 0] - y) ** 2
    true = answers[np.arange(len(y)), y]
    return (1 - true) ** 2 if squared else -np.log(np.maximum(true, 1e-300))


def score(answers: np.ndarray, y: np.ndarray) -> float:
    """Return accuracy, or R2 for regression."""
    if answers.shape[1] == 1:
        return float(r2_score(y, answers[:, 0]))
    return float(np.mean(answers.argmax(axis=1) == y))
