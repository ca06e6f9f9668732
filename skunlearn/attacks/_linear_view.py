"""Linear models of every kind in one form: what an attacker who holds the parameters sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from skunlearn.linear_model._glm.pointwise_losses import (
    LogisticLoss,
    NormalLoss,
    PointwiseLoss,
    tweedie_loss,
)

# Rows by which it is seen whether a step in front is affine.
_PROBES = 8


class SquaredHinge:
    """The loss ``cost max(0, 1 - s eta)^2`` of signs s.

    Parameters
    ----------
    cost : float
        Of one row.
    """

    def __init__(self, cost: float) -> None:
        self.cost = cost

    def first(self, eta: np.ndarray, sign: np.ndarray) -> np.ndarray:
        """Differentiate by the predictor."""
        return -2.0 * self.cost * np.maximum(0.0, 1.0 - sign * eta) * sign


class Softmax:
    """The multinomial logistic loss of class numbers, whose derivative has an entry per class."""

    def first(self, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Differentiate by the predictors, shape (n_rows, n_classes)."""
        derivatives = softmax(eta, axis=1)
        derivatives[np.arange(len(y)), y.astype(np.intp)] -= 1.0
        return derivatives


Loss = PointwiseLoss | SquaredHinge | Softmax


@dataclass(frozen=True)
class LinearView:
    """A linear model on rows as they come, of which steps in front are a part.

    Parameters
    ----------
    loss : PointwiseLoss, SquaredHinge or Softmax
        What is summed over rows.

    table : ndarray of shape (n_outputs, n_features + 1)
        Coefficients and, last, the intercept.

    pull : ndarray of shape (n_outputs, n_features + 1)
        Derivative of the penalty, per row of the training table where `per_row`; at the optimum the
        rows' derivatives are its negative.

    per_row : bool
        Whether the penalty grows with the number of rows.

    classes : ndarray of shape (n_classes,) or None
        Labels, of which rows have the numbers; None for regressors.
    """

    loss: Loss
    table: np.ndarray
    pull: np.ndarray
    per_row: bool
    classes: np.ndarray | None

    def pulled(self, n_samples: int) -> np.ndarray:
        """Return the derivative of the penalty for a number of rows."""
        return self.pull * (n_samples if self.per_row else 1)

    def predictors(self, Z: np.ndarray) -> np.ndarray:
        """Return the linear predictors of rows that end with a one; one column is dropped."""
        eta = Z @ self.table.T
        return eta if isinstance(self.loss, Softmax) else eta[:, 0]

    def gradient(self, Z: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Sum the rows' derivatives by the parameters, shape (n_outputs, n_features + 1)."""
        first = self.loss.first(self.predictors(Z), targets)
        return np.atleast_2d(first.T @ Z)


def view_of(model: Any, X: np.ndarray) -> LinearView:
    """See a model as a linear one.

    Parameters
    ----------
    model : estimator
        `Ridge`, `LinearRegression`, `LogisticRegression`, `LinearSVC`, or a generalised linear
        model, of scikit-learn or of ours; alone, or last in a pipeline of affine steps.

    X : ndarray of shape (n_rows, n_features)
        Rows, by which steps in front are tried.

    Returns
    -------
    view : LinearView

    Raises
    ------
    TypeError
        If it is none of these.

    ValueError
        If a step in front is not affine, or cannot be inverted, or the model has no intercept or
        weighs classes.
    """
    steps = []
    if hasattr(model, "steps"):
        steps, model = [step for _, step in model.steps[:-1]], model.steps[-1][1]
    model = getattr(model, "estimator_", model)
    check_is_fitted(model)
    view = _bare_view(model)
    if not steps:
        return view
    turn = _affine_of(steps, X)  # of rows that end with a one: z @ turn
    try:
        pull = linalg.solve(turn.T, view.pull.T).T
    except linalg.LinAlgError as error:
        raise ValueError("The steps in front of the model cannot be inverted.") from error
    return LinearView(view.loss, view.table @ turn.T, pull, view.per_row, view.classes)


def _affine_of(steps: list[Any], X: np.ndarray) -> np.ndarray:
    """Return the matrix by which steps map rows that end with a one, shape square."""

    def through(rows: np.ndarray) -> np.ndarray:
        for step in steps:
            if step not in (None, "passthrough"):
                rows = np.asarray(step.transform(rows), dtype=np.float64)
        return rows

    n_features = X.shape[1]
    origin = X.mean(axis=0)
    scale = np.where(X.std(axis=0) > 0.0, X.std(axis=0), 1.0)
    base = through(origin[np.newaxis])[0]
    if base.size != n_features:
        raise ValueError("The steps in front of the model cannot be inverted.")
    slopes = (through(origin + np.diag(scale)) - base) / scale[:, np.newaxis]
    turn = np.zeros((n_features + 1, n_features + 1))
    turn[:-1, :-1], turn[-1, :-1], turn[-1, -1] = slopes, base - origin @ slopes, 1.0
    probes = X[:_PROBES]
    ones = np.ones((len(probes), 1))
    if not np.allclose(np.hstack([probes, ones]) @ turn, np.hstack([through(probes), ones])):
        raise ValueError("A step in front of the model is not affine: it cannot be undone.")
    return turn


def _bare_view(model: Any) -> LinearView:
    """See a model without steps in front as a linear one."""
    named = {cls.__name__ for cls in type(model).__mro__}
    coef = np.atleast_2d(np.asarray(model.coef_ if hasattr(model, "coef_") else [], dtype=float))
    if not getattr(model, "fit_intercept", True):
        raise ValueError(
            f"{type(model).__name__} was fitted without an intercept, whose change is what the "
            "row is measured by."
        )
    if getattr(model, "class_weight", None) is not None:
        raise ValueError("Models that weigh classes are not reconstructed from.")
    per_row, weights, last = False, 0.0, 0.0
    loss: Loss
    classes = getattr(model, "classes_", None)
    if named & {"Ridge", "LinearRegression"}:
        loss = NormalLoss()
        weights = float(np.max(model.alpha)) if "Ridge" in named else 0.0
    elif "LogisticRegression" in named:
        loss = LogisticLoss() if len(coef) == 1 else Softmax()
        weights = 0.0 if model.penalty is None or np.isinf(model.C) else 1.0 / model.C
        if model.penalty in ("l1", "elasticnet") or getattr(model, "l1_ratio", None):
            raise ValueError("An l1 penalty has no derivative to reconstruct from.")
        last = weights if getattr(model, "solver", "") == "liblinear" else 0.0
    elif "LinearSVC" in named:
        if len(coef) > 1 or model.loss != "squared_hinge":
            raise ValueError("LinearSVC is reconstructed from for two classes and squared hinge.")
        loss, weights = SquaredHinge(float(model.C)), 1.0
        last = 1.0 / float(model.intercept_scaling) ** 2
    elif named & {"TweedieRegressor", "PoissonRegressor", "GammaRegressor"}:
        power = {"PoissonRegressor": 1.0, "GammaRegressor": 2.0}.get(type(model).__name__)
        loss = tweedie_loss(float(model.power) if power is None else power)
        weights, per_row = float(model.alpha), True
    else:
        raise TypeError(
            f"No row can be reconstructed from {type(model).__name__}: pass a Ridge, "
            "LinearRegression, LogisticRegression, LinearSVC or generalised linear model, alone or "
            "last in a pipeline."
        )
    intercept = np.ravel(np.asarray(model.intercept_, dtype=np.float64))
    table = np.column_stack([coef, intercept])
    pull = table * np.append(np.full(coef.shape[1], weights), last)
    return LinearView(loss, table, pull, per_row, None if classes is None else np.asarray(classes))
