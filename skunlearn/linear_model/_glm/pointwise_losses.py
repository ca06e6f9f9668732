"""Losses of one row as functions of its linear predictors: values and derivatives.

Each class is one loss, for arrays of any namespace. Kernels compile the same formulas, which
:mod:`skunlearn._kernels.glm` holds; there `kind` and `power` say which.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy import special

from skunlearn._array_api import namespace
from skunlearn._kernels import glm


class PointwiseLoss(ABC):
    """A convex loss phi with one linear predictor eta and a target y, up to a constant in eta.

    Attributes
    ----------
    kind : int
        Number of the loss in kernels.

    power : float
        Power of the variance function, for kernels; only Tweedie losses use it.

    concordance : float
        Constant c of generalised self-concordance: ``|phi'''| <= c phi''``.

    most_curvature : float or None
        Least upper bound of phi''; None where there is none that every loss comes close to.
    """

    kind: ClassVar[int]
    power: float = 0.0
    concordance: float = 1.0
    most_curvature: ClassVar[float | None] = None

    @abstractmethod
    def values(self, eta: Any, y: Any) -> Any:
        """Return each row's loss; `eta`, `y` and the result have one shape."""

    @abstractmethod
    def first(self, eta: Any, y: Any) -> Any:
        """Differentiate by the predictor."""

    @abstractmethod
    def second(self, eta: Any, y: Any) -> Any:
        """Differentiate twice by the predictor."""


class LogisticLoss(PointwiseLoss):
    """The logistic loss of y in {0, 1}, ``log(1 + exp(eta)) - y eta``."""

    kind = glm.LOGISTIC
    most_curvature = 0.25

    # Least upper bound of |phi'''|.
    largest_third: ClassVar[float] = 1.0 / (6.0 * math.sqrt(3.0))

    def values(self, eta: Any, y: Any) -> Any:
        """Return each row's loss."""
        xp = namespace(eta)
        return xp.logaddexp(xp.zeros_like(eta), eta) - y * eta

    def first(self, eta: Any, y: Any) -> Any:
        """Differentiate by the predictor."""
        return glm.logistic_first(namespace(eta).exp, eta, y)

    def second(self, eta: Any, y: Any) -> Any:
        """Differentiate twice by the predictor."""
        return glm.logistic_second(namespace(eta).exp, eta)


class NormalLoss(PointwiseLoss):
    """Half the squared error."""

    kind = glm.NORMAL
    concordance = 0.0

    def values(self, eta: Any, y: Any) -> Any:
        """Return each row's loss."""
        return 0.5 * (eta - y) ** 2

    def first(self, eta: Any, y: Any) -> Any:
        """Differentiate by the predictor."""
        return glm.normal_first(eta, y)

    def second(self, eta: Any, y: Any) -> Any:
        """Differentiate twice by the predictor."""
        return namespace(eta).ones_like(eta)


class PoissonLoss(PointwiseLoss):
    """Half the Poisson deviance with the log link."""

    kind = glm.POISSON

    def values(self, eta: Any, y: Any) -> Any:
        """Return each row's loss."""
        return namespace(eta).exp(eta) - y * eta

    def first(self, eta: Any, y: Any) -> Any:
        """Differentiate by the predictor."""
        return glm.poisson_first(namespace(eta).exp, eta, y)

    def second(self, eta: Any, y: Any) -> Any:
        """Differentiate twice by the predictor."""
        return glm.poisson_second(namespace(eta).exp, eta)


class GammaLoss(PointwiseLoss):
    """Half the Gamma deviance with the log link."""

    kind = glm.GAMMA

    def values(self, eta: Any, y: Any) -> Any:
        """Return each row's loss."""
        return y * namespace(eta).exp(-eta) + eta

    def first(self, eta: Any, y: Any) -> Any:
        """Differentiate by the predictor."""
        return glm.gamma_first(namespace(eta).exp, eta, y)

    def second(self, eta: Any, y: Any) -> Any:
        """Differentiate twice by the predictor."""
        return glm.gamma_second(namespace(eta).exp, eta, y)


class TweedieLoss(PointwiseLoss):
    """Half the Tweedie deviance with the log link, for powers other than 1 and 2.

    Parameters
    ----------
    power : float
        Power of the variance function.
    """

    kind = glm.TWEEDIE

    def __init__(self, power: float) -> None:
        self.power = power
        # phi'' is a positive combination of two exponentials, of these rates
        self.concordance = max(abs(2.0 - power), abs(1.0 - power))

    def values(self, eta: Any, y: Any) -> Any:
        """Return each row's loss."""
        xp = namespace(eta)
        up, down = 2.0 - self.power, 1.0 - self.power
        return xp.exp(up * eta) / up - y * xp.exp(down * eta) / down

    def first(self, eta: Any, y: Any) -> Any:
        """Differentiate by the predictor."""
        return glm.tweedie_first(namespace(eta).exp, self.power, eta, y)

    def second(self, eta: Any, y: Any) -> Any:
        """Differentiate twice by the predictor."""
        return glm.tweedie_second(namespace(eta).exp, self.power, eta, y)


def tweedie_loss(power: float) -> PointwiseLoss:
    """Return the loss of a Tweedie distribution.

    Parameters
    ----------
    power : float
        Power of the variance function: 0 is half the squared error; all others have the log link,
        of which 1 is Poisson and 2 is Gamma.

    Returns
    -------
    loss : PointwiseLoss
    """
    named: dict[float, type[PointwiseLoss]]
    named = {0.0: NormalLoss, 1.0: PoissonLoss, 2.0: GammaLoss}
    return named[power]() if power in named else TweedieLoss(power)


class MultinomialLoss:
    """The logistic loss of several classes, ``log(sum_k exp(eta_k)) - eta_y``.

    Attributes
    ----------
    concordance : float
        ``|D^3 phi[u, v, v]| <= concordance |u| D^2 phi[v, v]``.

    most_curvature : float
        An upper bound of D^2 phi.
    """

    concordance = math.sqrt(2.0)
    most_curvature = 1.0

    @staticmethod
    def mean(eta: Any) -> Any:
        """Return the probabilities of classes, shape (n_rows, n_classes) like `eta`."""
        if isinstance(eta, np.ndarray):
            return special.softmax(eta, axis=1)
        xp = namespace(eta)
        raised = xp.exp(eta - xp.max(eta, axis=1, keepdims=True))
        return raised / xp.sum(raised, axis=1, keepdims=True)

    @staticmethod
    def values(eta: Any, chosen: Any) -> Any:
        """Return each row's loss, given the predictors of their classes, shape (n_rows,)."""
        if isinstance(eta, np.ndarray):
            return special.logsumexp(eta, axis=1) - chosen
        xp = namespace(eta)
        top = xp.max(eta, axis=1)
        return xp.log(xp.sum(xp.exp(eta - top[:, None]), axis=1)) - (chosen - top)

    @staticmethod
    def second(weights: Any, mean: Any, a: int, b: int) -> Any:
        """Differentiate by the predictors of two classes, given probabilities, times weights."""
        return weights * mean[:, a] * (float(a == b) - mean[:, b])


def probabilities(scores: Any) -> Any:
    """Turn linear predictors into probabilities of classes.

    Parameters
    ----------
    scores : array of shape (n_rows,) or (n_rows, n_classes)
        Of any namespace; for two classes that of the second.

    Returns
    -------
    probabilities : array of shape (n_rows, n_classes)
        Of the same namespace.
    """
    if scores.ndim == 2:
        return MultinomialLoss.mean(scores)
    if isinstance(scores, np.ndarray):
        return np.stack([special.expit(-scores), special.expit(scores)], axis=1)
    xp = namespace(scores)
    with np.errstate(over="ignore"):
        return xp.stack([1.0 / (1.0 + xp.exp(scores)), 1.0 / (1.0 + xp.exp(-scores))], axis=1)
