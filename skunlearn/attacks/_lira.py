"""The likelihood-ratio attack."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import stats

from skunlearn._compat import StrOptions
from skunlearn.attacks._shadow_attack import ShadowAttack
from skunlearn.attacks._threat_model import ThreatModel

# Prior of variances: as if they had been seen in so many rows more, and as large as all rows' are.
_PRIOR_ROWS = 4.0

# Prior of the mean of models that have a row: as if seen in so many models more.
_PRIOR_MODELS = 0.5


class LiRA(ShadowAttack):
    """Likelihood-ratio attack: per row, models that have it against models that do not.

    Confidences, the logarithms of odds, are nearly normal over models. For each row two normal
    distributions are fitted, to the shadow models with it and without it, and the victim's
    confidence is held against both.

    Parameters
    ----------
    shadow_models : ShadowModels, default=None
        Shadow models, trained or not; None makes them of `estimator`.

    estimator : estimator, default=None
        The kind of model that the victim is thought to be.

    n_models : int, default=16
        How many shadow models are made of `estimator`; an even number.

    mode : {'online', 'offline'}, default='online'
        Whether shadow models that have a row are used. Rows that are not among those of the
        shadow models can be scored by the mode 'offline' only.

    variance : {'bayes', 'per_row', 'pooled'}, default='bayes'
        How variances are estimated: by a prior around that of all rows, with predictive
        t-distributions [2]_; for each row alone, which takes 64 models or so; as one for all rows.

    random_state : int, RandomState instance or None, default=None
        Seed of the shadow models made of `estimator`.

    n_jobs : int, default=None
        Shadow models that are fitted at once.

    Attributes
    ----------
    shadow_models_ : ShadowModels
        The trained ones.

    n_features_in_ : int
        Number of columns.

    References
    ----------
    .. [1] Carlini, Chien, Nasr, Song, Terzis, Tramer: Membership inference attacks from first
       principles, IEEE Symposium on Security and Privacy 2022, algorithm 1.
    .. [2] BaVarIA: arXiv 2603.11799, the prior on variances.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skunlearn.attacks import LiRA
    >>> X, y = load_digits(return_X_y=True)
    >>> victim = DecisionTreeClassifier(random_state=7).fit(X[::2], y[::2])
    >>> attack = LiRA(estimator=DecisionTreeClassifier(), n_models=16, random_state=0).fit(X, y)
    >>> result = attack.evaluate(victim, X, y, [True, False] * 898 + [True], fpr=(0.1,))
    >>> result.auc_interval[0] > 0.5
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **ShadowAttack._parameter_constraints,
        "mode": [StrOptions({"online", "offline"})],
        "variance": [StrOptions({"bayes", "per_row", "pooled"})],
    }
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        ("R3",), ("G3",), ("K3",), ("P3",), "Carlini et al., S&P 2022"
    )

    def __init__(
        self,
        shadow_models: Any = None,
        *,
        estimator: Any = None,
        n_models: int = 16,
        mode: str = "online",
        variance: str = "bayes",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.shadow_models = shadow_models
        self.estimator = estimator
        self.n_models = n_models
        self.mode = mode
        self.variance = variance
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _compare(self, victim: np.ndarray, logits: np.ndarray, inside: np.ndarray) -> np.ndarray:
        out = _Moments(logits, ~inside)
        if self.mode == "offline":
            return self._beyond(victim, out)
        if not inside.any(axis=0).all():
            raise ValueError(
                f"{int((~inside.any(axis=0)).sum())} rows are in no shadow model: mode='online' "
                "scores rows of the shadow models, with half of them trained on each. Fit with "
                "these rows, or use mode='offline'."
            )
        own = _Moments(logits, inside)
        if self.variance == "bayes":
            shift = float(np.mean(own.mean - out.mean))
            return own.log_t(victim, out.mean + shift) - out.log_t(victim, None)
        return self._log_normal(victim, own) - self._log_normal(victim, out)

    def _log_normal(self, victim: np.ndarray, moments: _Moments) -> np.ndarray:
        return stats.norm.logpdf(victim, moments.mean, np.sqrt(self._variance(moments)))

    def _variance(self, moments: _Moments) -> Any:
        if self.variance == "pooled":
            return moments.pooled
        if moments.count.min() < 2:
            raise ValueError(
                "variance='per_row' needs two shadow models or more on each side of every row: "
                "train more of them."
            )
        return np.maximum(moments.squares / (moments.count - 1.0), 1e-12 * moments.pooled)

    def _beyond(self, victim: np.ndarray, out: _Moments) -> np.ndarray:
        """Return minus the logarithm of how likely such confidence is without the row."""
        if self.variance == "bayes":
            nu, mean, scale = out.predictive(None)
            return -stats.t.logsf((victim - mean) / scale, nu)
        return -stats.norm.logsf((victim - out.mean) / np.sqrt(self._variance(out)))


class _Moments:
    """Mean and scatter of confidences over some of the models, row by row.

    Parameters
    ----------
    logits : ndarray of shape (n_models, n_rows)
    chosen : ndarray of shape (n_models, n_rows), dtype bool
        Which models count for each row; one at least.
    """

    def __init__(self, logits: np.ndarray, chosen: np.ndarray) -> None:
        self.count = chosen.sum(axis=0)
        self.mean = np.where(chosen, logits, 0.0).sum(axis=0) / self.count
        self.squares = (np.where(chosen, logits - self.mean, 0.0) ** 2).sum(axis=0)
        n_free = float((self.count - 1).sum())
        tiny = np.finfo(np.float64).tiny
        self.pooled = max(float(self.squares.sum()) / n_free if n_free else 1.0, tiny)

    def predictive(self, prior_mean: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, Any]:
        """Return degrees of freedom, mean and scale of the next model's confidence."""
        nu = _PRIOR_ROWS + self.count
        total = _PRIOR_ROWS * self.pooled + self.squares
        weight, mean = self.count.astype(np.float64), self.mean
        if prior_mean is None:
            nu = nu - 1.0
        else:
            weight = weight + _PRIOR_MODELS
            mean = (_PRIOR_MODELS * prior_mean + self.count * self.mean) / weight
            total = total + _PRIOR_MODELS * self.count / weight * (self.mean - prior_mean) ** 2
        return nu, mean, np.sqrt(total / nu * (1.0 + 1.0 / weight))

    def log_t(self, victim: np.ndarray, prior_mean: np.ndarray | None) -> np.ndarray:
        """Return the logarithm of the density of the next model's confidence."""
        nu, mean, scale = self.predictive(prior_mean)
        return stats.t.logpdf(victim, nu, mean, scale)
