"""How well a score tells forgotten rows from never-seen ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_curve


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve of a score, with its standard error.

    Parameters
    ----------
    value : float
        Chance that a forgotten row scores higher than a never-seen one; ties count half.

    error : float
        Standard error (DeLong).

    n_forgotten, n_never_seen : int
        Rows scored.

    ties : float
        Share of pairs with equal scores.

    fpr, tpr : ndarray
        The ROC curve.
    """

    value: float
    error: float
    n_forgotten: int
    n_never_seen: int
    ties: float
    fpr: np.ndarray
    tpr: np.ndarray

    def __str__(self) -> str:
        return f"{short(self.value)}±{short(self.error)}"

    @property
    def like_chance(self) -> bool:
        """Whether it is within two standard errors of one half."""
        return abs(self.value - 0.5) <= 2 * self.error

    @property
    def far_from_chance(self) -> bool:
        """Whether it is four standard errors from one half, which chance does not explain."""
        return abs(self.value - 0.5) > 4 * self.error

    @property
    def smallest_fpr(self) -> float:
        """The smallest false positive rate that is read off ten never-seen rows or more."""
        return min(1.0, 10 / self.n_never_seen)

    def tpr_at(self, fpr: float) -> float:
        """Return the true positive rate reached without passing a false positive rate."""
        return float(self.tpr[self.fpr <= fpr].max())


def short(value: float) -> str:
    """Write a number between 0 and 1 with two decimals and no leading zero."""
    text = f"{value:.2f}"
    return text.removeprefix("0") if value < 0.995 else text


def auc(forgotten: np.ndarray, never_seen: np.ndarray) -> Auc:
    """Compare the scores of forgotten and never-seen rows.

    Parameters
    ----------
    forgotten : ndarray of shape (n_forgotten,)
        Scores, higher = looks more like a forgotten row.

    never_seen : ndarray of shape (n_never_seen,)
        Likewise.

    Returns
    -------
    auc : Auc

    References
    ----------
    DeLong, DeLong, Clarke-Pearson: Comparing the areas under two or more correlated receiver
    operating characteristic curves, Biometrics 44(3), 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn._demo._auc import auc
    >>> auc(np.array([3.0, 2.0]), np.array([2.0, 1.0])).value
    0.875
    """
    above, ties = _placements(forgotten, never_seen)
    below, _ = _placements(never_seen, forgotten)
    m, n = forgotten.size, never_seen.size
    variance = sum(part.var(ddof=1) / part.size for part in (above, below) if part.size > 1)
    truth = np.r_[np.ones(m, dtype=int), np.zeros(n, dtype=int)]
    fpr, tpr, _ = roc_curve(truth, np.r_[forgotten, never_seen], drop_intermediate=False)
    return Auc(float(above.mean()), math.sqrt(variance), m, n, float(ties.mean()), fpr, tpr)


def _placements(scores: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each score's share of others below it (ties half), and its share of ties."""
    others = np.sort(others)
    less = np.searchsorted(others, scores, side="left") / others.size
    less_or_equal = np.searchsorted(others, scores, side="right") / others.size
    return (less + less_or_equal) / 2, less_or_equal - less


def three_digits(value: float) -> str:
    """Write a score with three decimals and no leading zero."""
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 0.9995 else f"{value:.3f}"
