"""The robust membership inference attack."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from skunlearn._compat import Interval, StrOptions
from skunlearn.attacks._answers import ask
from skunlearn.attacks._shadow_attack import ShadowAttack
from skunlearn.attacks._threat_model import ThreatModel

# Median of a squared standard normal variable.
_MEDIAN_SQUARE = 0.4549


class RMIA(ShadowAttack):
    """Robust membership inference: a row's likelihood ratio against that of other rows.

    The victim's probability of a row's label is divided by what the row's label has on average over
    reference models; the score is the share of other rows with a smaller such ratio. Few reference
    models are enough.

    Parameters
    ----------
    shadow_models : ShadowModels, default=None
        Reference models, trained or not; None makes them of `estimator`.

    estimator : estimator, default=None
        The kind of model that the victim is thought to be.

    n_models : int, default=8
        How many reference models are made of `estimator`; an even number.

    mode : {'offline', 'online'}, default='offline'
        Whether the average is over models without the row, and brought closer to one by `offset`,
        or over models with it and without it alike, which is better for models that are not very
        sure of their own rows, such as boosted trees.

    offset : float, default=0.3
        How far a model's probability of a row rises when it is trained on it: with mode='offline'
        the average is ``((1 + offset) p + 1 - offset) / 2``.

    random_state : int, RandomState instance or None, default=None
        Seed of the reference models made of `estimator`.

    n_jobs : int, default=None
        Reference models that are fitted at once.

    Attributes
    ----------
    shadow_models_ : ShadowModels
        The trained ones.

    n_features_in_ : int
        Number of columns.

    Notes
    -----
    A regressor's probability of a target is the normal density of the error, with the variance that
    errors of reference models have.

    References
    ----------
    .. [1] Zarifzadeh, Liu, Shokri: Low-cost high-power membership inference attacks, ICML 2024,
       section 3, equation 4 and algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skunlearn.attacks import RMIA
    >>> X, y = load_digits(return_X_y=True)
    >>> forest = RandomForestClassifier(20)
    >>> victim = RandomForestClassifier(20, random_state=7).fit(X[::2], y[::2])
    >>> attack = RMIA(estimator=forest, random_state=0).fit(X, y)
    >>> result = attack.evaluate(victim, X, y, [True, False] * 898 + [True], fpr=(0.1,))
    >>> result.auc > 0.85
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **ShadowAttack._parameter_constraints,
        "mode": [StrOptions({"offline", "online"})],
        "offset": [Interval(Real, 0.0, 1.0, closed="both")],
    }
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        ("R3",), ("G3",), ("K3",), ("P3",), "Zarifzadeh et al., ICML 2024"
    )

    def __init__(
        self,
        shadow_models: Any = None,
        *,
        estimator: Any = None,
        n_models: int = 8,
        mode: str = "offline",
        offset: float = 0.3,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.shadow_models = shadow_models
        self.estimator = estimator
        self.n_models = n_models
        self.mode = mode
        self.offset = offset
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _compare(self, victim: np.ndarray, logits: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return the logarithm of the ratio to the average of reference models."""
        scale = self._scale(logits, inside)
        chances, own = self._chances(logits, scale), self._chances(victim, scale)
        without = _mean(chances, ~inside)
        if self.mode == "offline":
            average = 0.5 * ((1.0 + self.offset) * without + 1.0 - self.offset)
        else:
            some = inside.any(axis=0)
            within = _mean(chances, inside | ~some)
            average = 0.5 * (without + np.where(some, within, without))
        tiny = np.finfo(np.float64).tiny
        ratios = np.log(np.maximum(own, tiny)) - np.log(np.maximum(average, tiny))
        return np.round(ratios, 12)  # rows of equal ratios would be told apart by rounding

    def _scale(self, logits: np.ndarray, inside: np.ndarray) -> float | None:
        """Return the variance of a regressor's errors; None for a classifier."""
        if self.shadow_models_.classes_ is not None:
            return None
        return float(np.median(np.exp(-logits[~inside]))) / _MEDIAN_SQUARE

    @staticmethod
    def _chances(logits: np.ndarray, scale: float | None) -> np.ndarray:
        """Return how likely models take targets to be."""
        if scale is None:
            return expit(logits)
        return np.exp(-0.5 * np.exp(-logits) / scale)

    def _told(self, model: Any, compared: np.ndarray) -> np.ndarray:
        """Return the share of the attacker's rows that have a smaller ratio."""
        shadows = self.shadow_models_
        population = np.sort(self._compared(ask(model, shadows.X), shadows.X, shadows.y))
        below = np.searchsorted(population, compared, side="left")
        not_above = np.searchsorted(population, compared, side="right")
        return 0.5 * (below + not_above) / population.size


def _mean(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.where(chosen, values, 0.0).sum(axis=0) / chosen.sum(axis=0)
