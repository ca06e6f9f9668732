"""Privacy of Gaussian noise, exactly, and what an attack proves about an epsilon."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special, stats


def gaussian_delta(epsilon: float, mu: float) -> float:
    """Compute the least delta for which a Gaussian mechanism is (epsilon, delta)-private.

    Parameters
    ----------
    epsilon : float
        At least 0.

    mu : float
        Distance of the two means in units of the noise's standard deviation.

    Returns
    -------
    delta : float

    References
    ----------
    Balle, Wang: Improving the Gaussian mechanism for differential privacy, ICML 2018, theorem 8.
    """
    if mu == 0.0:
        return 0.0
    near, far = 0.5 * mu - epsilon / mu, 0.5 * mu + epsilon / mu
    # The second term is exp(epsilon) times the probability of a normal number below -far.
    tail = 0.5 * np.exp(-0.5 * near**2) * special.erfcx(far / np.sqrt(2.0))
    return max(float(special.ndtr(near) - tail), 0.0)


def gaussian_mu(epsilon: float, delta: float) -> float:
    """Compute the largest distance that Gaussian noise hides within (epsilon, delta).

    Parameters
    ----------
    epsilon, delta : float
        Positive; delta below 1.

    Returns
    -------
    mu : float
        In units of the noise's standard deviation; its inverse is the noise multiplier. Never
        above the exact value.
    """
    low, high = 0.0, 1.0
    while gaussian_delta(epsilon, high) < delta:
        high *= 2.0
    return _bisect(lambda mu: gaussian_delta(epsilon, mu) <= delta, low, high)[0]


def gaussian_epsilon(delta: float, mu: float) -> float:
    """Compute the least epsilon for which a Gaussian mechanism is (epsilon, delta)-private.

    Several releases with independent noise compose exactly: their `mu` is the root of the sum of
    squares.

    Parameters
    ----------
    delta : float
        Between 0 and 1.

    mu : float
        As in :func:`gaussian_delta`.

    Returns
    -------
    epsilon : float
        Never below the exact value.

    References
    ----------
    Dong, Roth, Su: Gaussian differential privacy, Journal of the Royal Statistical Society B 84,
    2022, corollaries 1 and 2.
    """
    if gaussian_delta(0.0, mu) <= delta:
        return 0.0
    low, high = 0.0, 1.0
    while gaussian_delta(high, mu) > delta:
        high *= 2.0
    return _bisect(lambda epsilon: gaussian_delta(epsilon, mu) > delta, low, high)[1]


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """Narrow an interval at whose lower end a condition holds and at whose upper it does not."""
    while high - low > 1e-9 * high:
        middle = 0.5 * (low + high)
        if holds(middle):
            low = middle
        else:
            high = middle
    return low, high


def epsilon_lower_bound(
    hits: int, n_in: int, false_alarms: int, n_out: int, *, delta: float = 0.0, alpha: float = 0.05
) -> float:
    """Bound epsilon from below by the errors of an attack, whose threshold was fixed beforehand.

    Parameters
    ----------
    hits, n_in : int
        How many of the releases of one world the attack told, and of how many.

    false_alarms, n_out : int
        How many of the releases of the other world it mistook for those, and of how many.

    delta : float, default=0.0
        The delta at which epsilon is bounded.

    alpha : float, default=0.05
        The true epsilon is below the returned one with at most this probability.

    Returns
    -------
    epsilon : float
        At least 0.

    References
    ----------
    Kairouz, Oh, Viswanath: The composition theorem for differential privacy, ICML 2015, theorem
    2.1; Clopper, Pearson: The use of confidence or fiducial limits, Biometrika 26, 1934.
    """
    missed = _clopper_pearson(n_in - hits, n_in, 0.5 * alpha)
    mistaken = _clopper_pearson(false_alarms, n_out, 0.5 * alpha)
    ratios = [(1.0 - missed - delta) / mistaken, (1.0 - mistaken - delta) / missed]
    return float(np.log(max([1.0, *ratios])))


def _clopper_pearson(k: int, n: int, alpha: float) -> float:
    """Return the upper confidence limit of a proportion."""
    return 1.0 if k >= n else float(stats.beta.ppf(1.0 - alpha, k + 1, n - k))
