"""What a fitted linear model minimises, read off its class and parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.linear_model as namesake
from sklearn.utils import compute_class_weight

from skunlearn.linear_model._gamma import GammaRegressor
from skunlearn.linear_model._glm.losses import SingleLoss, SoftmaxLoss
from skunlearn.linear_model._glm.pointwise_losses import (
    LogisticLoss,
    NormalLoss,
    tweedie_loss,
)
from skunlearn.linear_model._linear_regression import LinearRegression
from skunlearn.linear_model._logistic import LogisticRegression
from skunlearn.linear_model._poisson import PoissonRegressor
from skunlearn.linear_model._ridge import Ridge
from skunlearn.linear_model._ridge_classifier import RidgeClassifier
from skunlearn.linear_model._tweedie import TweedieRegressor

# Classes of 0 and 1 weigh the same: weights of classes are part of the rows' weights here.
_EVEN = np.ones(2)


@dataclass(frozen=True)
class Objective:
    """A sum over rows of weight times loss, and an l2 penalty, for one or more sets of parameters.

    Parameters
    ----------
    loss : SingleLoss or SoftmaxLoss
        The loss of a row, the same for every set of parameters.

    fixed : ndarray of shape (n_sets, n_params)
        Half of ``fixed * theta**2`` is the part of the penalty that does not depend on the rows.

    per_weight : float
        The part of the penalty that each row brings along, in units of its weight: where the
        estimator minimises a mean, the penalty of a sum grows with the rows.

    is_penalised : ndarray of shape (n_params,), dtype bool
        False for intercepts.
    """

    loss: Any
    fixed: np.ndarray
    per_weight: float
    is_penalised: np.ndarray

    def gradient(self, theta: np.ndarray, X: Any, t: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Sum the rows' gradients with their share of the penalty, shape (n_sets, n_params)."""
        gradients = [
            self.loss.gradient_sums(X, np.ascontiguousarray(target), weights, parameters).gradient
            for parameters, target in zip(theta, t.T, strict=True)
        ]
        return np.stack(gradients) + self._brought_along(weights) * theta

    def hessian(self, theta: np.ndarray, X: Any, t: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Sum the rows' curvatures, shape (n_sets, n_params, n_params)."""
        penalty = np.diag(self._brought_along(weights))
        return np.stack(
            [
                self.loss.hessian(X, np.ascontiguousarray(target), weights, parameters) + penalty
                for parameters, target in zip(theta, t.T, strict=True)
            ]
        )

    def _brought_along(self, weights: np.ndarray) -> np.ndarray:
        return self.per_weight * weights.sum() * self.is_penalised


def objective_of(estimator: Any, n_features: int, n_outputs: int) -> Objective:
    """Return what an estimator minimises.

    Parameters
    ----------
    estimator : estimator
        Of a class that :func:`check_supported` accepts.

    n_features : int

    n_outputs : int
        Rows of `coef_`.

    Returns
    -------
    objective : Objective
    """
    describe = SUPPORTED[type(estimator)]
    has_intercept = estimator.fit_intercept
    loss, strength, per_weight = describe(estimator, n_outputs)
    is_penalised = np.arange(n_features + has_intercept) < n_features
    if isinstance(loss, SoftmaxLoss):
        is_penalised, n_outputs = np.tile(is_penalised, n_outputs), 1
    strengths = np.broadcast_to(np.ravel(strength), n_outputs)
    return Objective(loss, strengths[:, None] * is_penalised, per_weight, is_penalised)


def check_supported(estimator: Any) -> None:
    """Raise ValueError unless the gradient and the curvature of what is minimised are known."""
    name = type(estimator).__name__
    if type(estimator) not in SUPPORTED:
        names = sorted({cls.__name__ for cls in SUPPORTED})
        raise ValueError(
            f"No influence function is known for {name}. Use one of {', '.join(names)}, of "
            "sklearn.linear_model or skunlearn.linear_model."
        )
    for parameter, allowed, why in _REFUSED:
        value = getattr(estimator, parameter, allowed[0])
        if value not in allowed:
            raise ValueError(
                f"No influence function is known for {name} with {parameter}={value!r}: {why}."
            )
    SUPPORTED[type(estimator)](estimator, 1)


_REFUSED: tuple[tuple[str, tuple[Any, ...], str], ...] = (
    ("penalty", ("deprecated", "l2", None), "an l1 penalty has no Hessian"),
    ("l1_ratio", (0, None), "an l1 penalty has no Hessian"),
    ("dual", (False,), "it penalises the intercept; use solver='lbfgs'"),
    ("multi_class", ("deprecated", "auto"), "leave it at its default"),
    ("positive", (False,), "constrained weights have none"),
)


def class_factors(estimator: Any, classes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return by what the weights of the rows of each class are multiplied."""
    return compute_class_weight(estimator.class_weight, classes=classes, y=y)


def encode(estimator: Any, y: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """Return targets as losses take them, shape (n_rows, n_sets), float64."""
    if classes is None:
        return np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    codes = np.searchsorted(classes, y)
    if isinstance(estimator, namesake.RidgeClassifier | RidgeClassifier):
        if classes.size == 2:
            return 2.0 * codes[:, None] - 1.0
        return 2.0 * (codes[:, None] == np.arange(classes.size)) - 1.0
    return codes[:, None].astype(np.float64)


def _logistic(estimator: Any, n_outputs: int) -> tuple[Any, Any, float]:
    if estimator.solver == "liblinear":
        raise ValueError(
            "No influence function is known for LogisticRegression with solver='liblinear': it "
            "penalises the intercept; use solver='lbfgs'."
        )
    strength = 0.0 if estimator.penalty is None else 1.0 / estimator.C
    if n_outputs == 1:
        return SingleLoss(LogisticLoss(), estimator.fit_intercept, _EVEN), strength, 0.0
    return SoftmaxLoss(n_outputs, estimator.fit_intercept, np.ones(n_outputs)), strength, 0.0


def _least_squares(estimator: Any, n_outputs: int) -> tuple[Any, Any, float]:
    strength = np.asarray(getattr(estimator, "alpha", 0.0), dtype=np.float64)
    return SingleLoss(NormalLoss(), estimator.fit_intercept, _EVEN), strength, 0.0


def _log_link(power: float | None) -> Callable[[Any, int], tuple[Any, Any, float]]:
    def describe(estimator: Any, n_outputs: int) -> tuple[Any, Any, float]:
        p = float(estimator.power) if power is None else power
        link = getattr(estimator, "link", "auto")
        if not (1.0 <= p <= 2.0 and link != "identity") and not (p == 0.0 and link != "log"):
            raise ValueError(
                f"No influence function is known for TweedieRegressor(power={p:g}, "
                f"link={link!r}): power must be from 1 to 2 with the log link, or 0 with the "
                "identity."
            )
        return (
            SingleLoss(tweedie_loss(p), estimator.fit_intercept, _EVEN),
            0.0,
            float(estimator.alpha),
        )

    return describe


SUPPORTED: dict[type, Callable[[Any, int], tuple[Any, Any, float]]] = {
    namesake.LogisticRegression: _logistic,
    LogisticRegression: _logistic,
    namesake.LinearRegression: _least_squares,
    LinearRegression: _least_squares,
    namesake.Ridge: _least_squares,
    Ridge: _least_squares,
    namesake.RidgeClassifier: _least_squares,
    RidgeClassifier: _least_squares,
    namesake.PoissonRegressor: _log_link(1.0),
    PoissonRegressor: _log_link(1.0),
    namesake.GammaRegressor: _log_link(2.0),
    GammaRegressor: _log_link(2.0),
    namesake.TweedieRegressor: _log_link(None),
    TweedieRegressor: _log_link(None),
}
