"""What noisy gradient descent gives away, in the terms of Gaussian differential privacy.

Two laws are mu-close if telling them apart is no easier than telling N(0, 1) from N(mu, 1). All
bounds here are of that kind, and are turned into (epsilon, delta) at the end, exactly.

F is the mean of the rows' losses plus ``alpha/2 |w|^2``, alpha-strongly convex and L-smooth; no
row's loss has a gradient longer than M. A step ``w - eta * grad F(w)`` with
``eta = 2 / (L + alpha)`` brings any two points together by ``c = (L - alpha) / (L + alpha)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skunlearn._privacy.accounting import gaussian_epsilon, gaussian_mu
from skunlearn._unlearning.report import Guarantee

ASSUMPTIONS = {
    "neel2021": "one release compared with one of a retrained model; requests may be chosen by "
    "looking at all earlier releases; the iterate before its noise stays secret; several releases "
    "compose",
    "langevin2024": "one release compared with one of a retrained model; requests not chosen by "
    "looking at earlier releases (for those epsilon_spent_ holds); nothing but the rows and the "
    "random state stays secret; several releases compose",
}

# Share of the allowed mu that the start of a fit may take.
_START_SHARE = 0.01


@dataclass(frozen=True)
class Descent:
    """A gradient descent whose noise is accounted for.

    Parameters
    ----------
    alpha : float
        Strong convexity.

    smoothness : float
        L above.

    lipschitz : float
        M above.

    radius : float
        Bound of the norm of every iterate, or of the optimum where iterates are free of noise.

    noise : float
        Standard deviation of the noise of what is published (`secret`), else sigma in the noise
        ``sqrt(2 eta) sigma`` of each step.

    epsilon, delta : float
        What a request may cost.

    accountant : {'neel2021', 'langevin2024'}
        Whether iterates are free of noise and secret, noise being added to what is published, or
        noise is added to each step.

    Attributes
    ----------
    mu_allowed : float
        What epsilon and delta allow.

    n_steps : int
        Steps of a fit: enough for its start at zero not to matter.
    """

    alpha: float
    smoothness: float
    lipschitz: float
    radius: float
    noise: float
    epsilon: float
    delta: float
    accountant: str
    mu_allowed: float = field(init=False)
    n_steps: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mu_allowed", gaussian_mu(self.epsilon, self.delta))
        start = _START_SHARE * self.mu_allowed * self.spread(1) / self.radius
        n_steps = max(int(np.ceil(np.log(start) / np.log(self.contraction))), 1)
        object.__setattr__(self, "n_steps", n_steps)

    @classmethod
    def of_logistic_loss(
        cls, n_classes: int, square: float, *, alpha: float, radius: float | None, **budget: Any
    ) -> Descent:
        """Descend for the logistic loss of rows whose squared norm, with the intercept, is bounded.

        The norm of the optimum is at most ``sqrt(2 log(n_classes) / alpha)``: at zero the loss is
        ``log(n_classes)``. That is the radius of secret iterates; others stay in twice as large a
        ball by default.
        """
        binary = n_classes == 2
        optimum = float(np.sqrt(2.0 * np.log(n_classes) / alpha))
        if budget["accountant"] == "neel2021":
            radius = optimum
        elif radius is None:
            radius = 2.0 * optimum
        return cls(
            alpha=alpha,
            smoothness=alpha + square / (4.0 if binary else 2.0),
            lipschitz=float(np.sqrt(square if binary else 2.0 * square)),
            radius=float(radius),
            **budget,
        )

    @property
    def secret(self) -> bool:
        """Return whether iterates stay secret."""
        return self.accountant == "neel2021"

    @property
    def step_size(self) -> float:
        """Return eta."""
        return 2.0 / (self.smoothness + self.alpha)

    @property
    def contraction(self) -> float:
        """Return c."""
        return (self.smoothness - self.alpha) / (self.smoothness + self.alpha)

    @property
    def step_noise(self) -> float:
        """Return the standard deviation of the noise of a step."""
        return 0.0 if self.secret else float(np.sqrt(2.0 * self.step_size) * self.noise)

    def spread(self, n_steps: float = np.inf) -> float:
        """Return the standard deviation of what is published, along directions of curvature alpha.

        Of steps with noise, it is that of `n_steps` steps from a known point.
        """
        if self.secret:
            return self.noise
        c = self.contraction
        return float(self.step_noise * np.sqrt((1.0 - c ** (2.0 * n_steps)) / (1.0 - c * c)))

    @property
    def _start(self) -> float:
        """Return how much of the start of a fit may show in the distance of two models.

        Secret iterates are compared through the optimum, from which both may be that far; steps
        with noise are compared over the same number of steps, one of them from zero.
        """
        return (1.0 + self.secret) * self.radius * self.contraction**self.n_steps

    def shift(self, n_changed: int, n_rows: int) -> float:
        """Bound how far the limit of the steps moves when some of `n_rows` rows are removed."""
        return min(2.0 * n_changed * self.lipschitz / (self.alpha * n_rows), 2.0 * self.radius)

    def mu(self, gap: float) -> float:
        """Compare what is published with what a fit on the same rows would publish.

        Parameters
        ----------
        gap : float
            Bound of the distance of the two, if they had the same noise and no start.
        """
        return (gap + self._start) / self.spread(self.n_steps)

    def steps_for(self, gap: float) -> int:
        """Return how many steps bring a gap within the budget."""
        allowed = self.mu_allowed * self.spread(self.n_steps) - self._start
        return max(int(np.ceil(np.log(allowed / gap) / np.log(self.contraction))), 1)

    def mu_published(self, n_steps: int, n_rows: int) -> float:
        """Bound what a publication says about any one row, given those before.

        Parameters
        ----------
        n_steps : int
            Steps since the last publication, or since the start.

        n_rows : int
            Rows that the steps saw.
        """
        apart = 2.0 * self.lipschitz / (self.alpha * n_rows)
        if self.secret:
            return apart / self.noise
        return apart * (1.0 - self.contraction**n_steps) / self.spread(n_steps)

    def certificate(self, gap: float | None) -> Guarantee:
        """Return what is proved about a publication.

        Parameters
        ----------
        gap : float or None
            As for `mu`; None if the publication is a fit's.
        """
        return Guarantee(
            "certified",
            "output" if self.secret else "state",
            epsilon=0.0 if gap is None else gaussian_epsilon(self.delta, self.mu(gap)),
            delta=0.0 if gap is None else self.delta,
            assumptions=ASSUMPTIONS[self.accountant],
        )
