"""The ROC curve of an attack, where it matters: at few false accusations."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import stats
from sklearn.metrics import roc_curve

from skunlearn.attacks._result import MembershipResult, ranked

# Non-members that a false positive rate has to rest on.
_FEW = 10


class AttackRocDisplay:
    """ROC curve of an attack on log axes, with a band.

    Parameters
    ----------
    fpr, tpr : ndarray of shape (n_thresholds,)
        The curve.

    n_members, n_nonmembers : int
        Rows that it rests on.

    auc : float, default=None
        Area under the curve, for the legend.

    name : str, default=None
        Name of the attack, for the legend.

    positive, negative : str
        What members and others are called, for the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.

    figure_ : matplotlib Figure
        Its figure.

    line_, diagonal_ : matplotlib Line2D
        The curve, and guessing.

    band_ : matplotlib PolyCollection
        Clopper-Pearson intervals of the true positive rates, at 95 % each.

    unreliable_ : matplotlib Polygon
        False positive rates that rest on fewer than ten rows.
    """

    def __init__(
        self,
        *,
        fpr: np.ndarray,
        tpr: np.ndarray,
        n_members: int,
        n_nonmembers: int,
        auc: float | None = None,
        name: str | None = None,
        positive: str = "members",
        negative: str = "non-members",
    ) -> None:
        self.fpr = fpr
        self.tpr = tpr
        self.n_members = n_members
        self.n_nonmembers = n_nonmembers
        self.auc = auc
        self.name = name
        self.positive = positive
        self.negative = negative

    @classmethod
    def from_result(cls, result: MembershipResult, *, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the curve of a result.

        Parameters
        ----------
        result : MembershipResult
            What `evaluate` of an attack returned.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            What matplotlib's `plot` takes.

        Returns
        -------
        display : AttackRocDisplay
            With what was drawn.
        """
        fpr, tpr = result.roc()
        return cls(
            fpr=fpr,
            tpr=tpr,
            n_members=result.n_members,
            n_nonmembers=result.n_nonmembers,
            auc=result.auc,
            name=result.attack,
            positive=result.positive,
            negative=result.negative,
        ).plot(ax, **line_kw)

    @classmethod
    def from_predictions(
        cls,
        is_member: Any,
        scores: Any,
        *,
        name: str | None = None,
        ax: Any = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the curve of scores.

        Parameters
        ----------
        is_member : array-like of shape (n_rows,), dtype bool
            The truth.

        scores : array-like of shape (n_rows,)
            Higher = more likely a member.

        name : str, default=None
            Name for the legend.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            What matplotlib's `plot` takes.

        Returns
        -------
        display : AttackRocDisplay
            With what was drawn.
        """
        truth, scores = np.asarray(is_member, dtype=bool), np.asarray(scores, dtype=np.float64)
        fpr, tpr, _ = roc_curve(truth, ranked(scores), drop_intermediate=False)
        auc = float(np.trapezoid(tpr, fpr))
        n_members = int(truth.sum())
        shown = cls(
            fpr=fpr,
            tpr=tpr,
            n_members=n_members,
            n_nonmembers=truth.size - n_members,
            auc=auc,
            name=name,
        )
        return shown.plot(ax, **line_kw)

    def plot(self, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            What matplotlib's `plot` takes.

        Returns
        -------
        display : AttackRocDisplay
            This object, with what was drawn.
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError("Plots need matplotlib: pip install matplotlib") from error
        if ax is None:
            ax = plt.subplots()[1]
        lowest = 0.5 / self.n_nonmembers
        hits = np.round(self.tpr * self.n_members)
        low = stats.beta.ppf(0.025, hits, self.n_members - hits + 1)
        high = stats.beta.ppf(0.975, hits + 1, self.n_members - hits)
        low, high = np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0)
        shown = np.maximum(self.fpr, lowest)
        label = self.name or "attack"
        label = label if self.auc is None else f"{label} (AUC {self.auc:.2f})"
        (self.line_,) = ax.plot(
            shown, np.maximum(self.tpr, lowest), **({"label": label, "linewidth": 1.6} | line_kw)
        )
        colour = self.line_.get_color()
        self.band_ = ax.fill_between(
            shown, np.maximum(low, lowest), high, color=colour, alpha=0.18, linewidth=0
        )
        (self.diagonal_,) = ax.plot([lowest, 1], [lowest, 1], "--", color="gray", linewidth=1)
        few = min(1.0, _FEW / self.n_nonmembers)
        self.unreliable_ = ax.axvspan(lowest, few, color="gray", alpha=0.12, linewidth=0)
        ax.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(lowest, 1.05))
        shares = [share for share in (1e-4, 1e-3, 1e-2, 1e-1, 1.0) if share >= lowest]
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_ticks(shares, [f"{share:.4g}" for share in shares])
            axis.set_ticks([], minor=True)
        ax.set(xlabel=f"{self.negative} accused", ylabel=f"{self.positive} caught")
        ax.legend(loc="lower right", frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
