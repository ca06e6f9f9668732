"""How well a score tells two kinds of rows apart, and how sure that is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats


class Auc(NamedTuple):
    """Area under the ROC curve of a score, with its standard error.

    Parameters
    ----------
    value : float
        Chance that a positive row scores higher than a negative one; ties count half.

    error : float
        Standard error.

    n_degrees : float
        Degrees of freedom of that error; infinite where rows are independent.

    tie_mass : float
        Share of pairs of a positive and a negative row with equal scores.
    """

    value: float
    error: float
    n_degrees: float
    tie_mass: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return a confidence interval, within 0 and 1."""
        quantile = float(stats.t.ppf(0.5 + level / 2.0, self.n_degrees))
        low, high = self.value - quantile * self.error, self.value + quantile * self.error
        return max(low, 0.0), min(high, 1.0)


def auc_of(scores: np.ndarray, truth: np.ndarray, groups: np.ndarray | None = None) -> Auc:
    """Compare the scores of positive and negative rows.

    Parameters
    ----------
    scores : ndarray of shape (n_rows,)
        Higher = more likely positive; infinities are allowed.

    truth : ndarray of shape (n_rows,), dtype bool

    groups : ndarray of shape (n_rows,), default=None
        The model from which each score comes, where there are several: rows scored by one model
        depend on each other, so that models are what varies independently.

    Returns
    -------
    auc : Auc

    References
    ----------
    .. [1] DeLong, DeLong, Clarke-Pearson: Comparing the areas under two or more correlated receiver
       operating characteristic curves, Biometrics 44(3), 1988.
    .. [2] Obuchowski: Nonparametric analysis of clustered ROC curve data, Biometrics 53(2), 1997,
       equation 5.
    """
    positive, negative = scores[truth], scores[~truth]
    above, ties = _placements(positive, negative)
    below, _ = _placements(negative, positive)
    value = float(above.mean())
    if groups is None:
        variance = sum(part.var(ddof=1) / part.size for part in (above, below) if part.size > 1)
        # A score that tells all rows apart shows no variance, but half a row may be wrong.
        least = 0.5 / min(positive.size, negative.size)
        return Auc(value, math.sqrt(max(variance, least**2)), np.inf, float(ties.mean()))
    numbers = np.unique(groups, return_inverse=True)[1]
    n_groups = int(numbers.max()) + 1
    if n_groups < 2:
        raise ValueError("Scores of one model say nothing of how models vary: groups has one value")
    per_group = []
    for placements, chosen in ((above, truth), (1.0 - below, ~truth)):
        total = np.bincount(numbers[chosen], weights=placements - value, minlength=n_groups)
        per_group.append(total / placements.size)
    shift = per_group[0] + per_group[1]
    error = math.sqrt(n_groups / (n_groups - 1.0) * float(shift @ shift))
    return Auc(value, error, float(n_groups - 1), float(ties.mean()))


def permutation_p_value(
    scores: np.ndarray,
    truth: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    n_permutations: int = 999,
    random_state: int = 0,
) -> float:
    """Tell how often scores that know nothing would do as well.

    Rows change places within their group, so that what groups have in common stays.

    Returns
    -------
    p_value : float
        At least ``1 / (n_permutations + 1)``.
    """
    rng = np.random.default_rng(random_state)
    ranks = stats.rankdata(scores)
    members = [np.arange(scores.size)] if groups is None else _members(groups)
    observed = float(ranks[truth].sum())
    totals = np.zeros(n_permutations)
    for rows in members:
        own, n_true = ranks[rows], int(truth[rows].sum())
        if 0 < n_true < rows.size:
            for number in range(n_permutations):
                totals[number] += own[rng.permutation(rows.size)[:n_true]].sum()
        else:
            totals += own[:n_true].sum()
    slack = 1e-9 * max(observed, 1.0)
    return (1.0 + float((totals >= observed - slack).sum())) / (n_permutations + 1.0)


def clopper_pearson(n_hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact confidence interval of a share."""
    alpha = 1.0 - level
    low = 0.0 if n_hits == 0 else float(stats.beta.ppf(alpha / 2, n_hits, n - n_hits + 1))
    high = 1.0 if n_hits == n else float(stats.beta.ppf(1 - alpha / 2, n_hits + 1, n - n_hits))
    return low, high


def _members(groups: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(groups[order][1:] != groups[order][:-1]) + 1)


def _placements(scores: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each score's share of others below it (ties half), and its share of ties."""
    others = np.sort(others)
    less = np.searchsorted(others, scores, side="left") / others.size
    less_or_equal = np.searchsorted(others, scores, side="right") / others.size
    return (less + less_or_equal) / 2, less_or_equal - less
