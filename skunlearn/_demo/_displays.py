"""Plots of outcomes, drawn in placeholder colours that the page replaces by its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skunlearn._demo._experiment import Outcome
from skunlearn._unlearning.report import duration

INK = "#f000aa"
GRID = "#f000bb"
ATTACK_COLOURS = tuple(f"#f0000{position}" for position in range(7))
_EQUAL = 1e-18


def _dress(ax: Any) -> None:
    ax.tick_params(colors=INK, which="both", length=0)
    ax.grid(color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.xaxis.label.set_color(INK)
    ax.yaxis.label.set_color(INK)


class _RowPerModel:
    """Base of plots that have a row for each model.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One per model.
    """

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = outcomes

    def _rows(self, ax: Any) -> list[tuple[int, Outcome, str]]:
        self.ax_ = ax
        ax.set_xscale("log")
        ax.set_yticks(range(len(self.outcomes)), [o.model for o in self.outcomes])
        ax.tick_params(axis="y", pad=7)
        ax.set_ylim(len(self.outcomes) - 0.5, -0.5)
        ax.minorticks_off()
        _dress(ax)
        ax.grid(visible=False, axis="y")
        return [(i, o, ATTACK_COLOURS[i % 7]) for i, o in enumerate(self.outcomes)]


class RequestTimeDisplay(_RowPerModel):
    """Seconds per request, with the refit they replace.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.

    requests_ : list of PathCollection
        Dots, one per id.

    refits_, batches_ : list of Line2D
        Median refit and batch request of each model.
    """

    def plot(self, ax: Any) -> RequestTimeDisplay:
        """Draw on the given axes."""
        self.requests_, self.refits_, self.batches_ = [], [], []
        for row, outcome, colour in self._rows(ax):
            seconds = outcome.request_seconds
            self.requests_.append(
                ax.scatter(
                    seconds, np.full(seconds.size, row), s=12, color=colour, alpha=0.45, lw=0
                )
            )
            self.batches_ += ax.plot(outcome.batch_seconds, row, "D", ms=5, color=colour)
            self.refits_ += ax.plot(
                [outcome.refit] * 2, [row - 0.36, row + 0.36], color=INK, linewidth=2
            )
        low, high = ax.get_xlim()
        ticks = [t for t in 10.0 ** np.arange(-7, 4) if low <= t <= high]
        ax.set_xticks(ticks, [duration(tick) for tick in ticks])
        return self


class RetrainGapDisplay(_RowPerModel):
    """Relative difference from the retrained model, before and after forgetting.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.

    before_, after_, promises_ : list of Line2D
        Artists; a promise is drawn for models that state a tolerance.
    """

    def plot(self, ax: Any) -> RetrainGapDisplay:
        """Draw on the given axes."""
        self.before_, self.after_, self.promises_ = [], [], []
        for row, outcome, colour in self._rows(ax):
            old, new = (
                min(max(d.largest, _EQUAL), 1e3)
                for d in (outcome.forgotten_difference, outcome.difference)
            )
            ax.plot([new, old], [row, row], color=GRID, linewidth=1.5, zorder=1)
            self.before_ += ax.plot(old, row, "o", ms=6, color=colour, fillstyle="none")
            self.after_ += ax.plot(new, row, "o", ms=7, color=colour, clip_on=False)
            if outcome.promise.tolerance is not None:
                limit = [outcome.promise.tolerance] * 2
                self.promises_ += ax.plot(limit, [row - 0.25, row + 0.25], color=INK, linewidth=1.5)
        ax.set_xlim(_EQUAL, max(10.0, ax.get_xlim()[1]))
        ticks = 10.0 ** np.arange(-14, 1, 4)
        names = [f"$10^{{{round(np.log10(tick))}}}$" for tick in ticks]
        ax.set_xticks([_EQUAL, *ticks], ["equal", *names])
        return self


class AttackRocDisplay:
    """ROC curves on log axes of the attack that sees both versions.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One per model.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.

    lines_ : list of Line2D
        One per model.

    diagonal_ : Line2D
        Guessing.

    unreliable_ : Polygon
        False positive rates that rest on fewer than ten never-seen rows.
    """

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = outcomes

    def plot(self, ax: Any) -> AttackRocDisplay:
        """Draw on the given axes."""
        self.ax_ = ax
        curves = [outcome.two_versions for outcome in self.outcomes]
        lowest = 0.5 / max(curve.n_never_seen for curve in curves)
        self.unreliable_ = ax.axvspan(
            lowest, curves[0].smallest_fpr, color=GRID, alpha=0.45, linewidth=0
        )
        (self.diagonal_,) = ax.plot([lowest, 1], [lowest, 1], "--", color=INK, linewidth=1)
        self.lines_ = []
        for position, (outcome, curve) in enumerate(zip(self.outcomes, curves, strict=True)):
            self.lines_ += ax.plot(
                np.maximum(curve.fpr, lowest),
                np.maximum(curve.tpr, lowest),
                color=ATTACK_COLOURS[position % 7],
                linewidth=1.6,
                label=f"{outcome.model} {curve}",
            )
        ax.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(lowest, 1.05))
        for axis in (ax.xaxis, ax.yaxis):
            shares = [share for share in (0.001, 0.01, 0.1, 1.0) if share >= lowest]
            axis.set_ticks(shares, [f"{share:.3g}" for share in shares])
            axis.set_ticks([], minor=True)
        ax.set(xlabel="never-seen rows accused", ylabel="forgotten rows caught")
        ax.legend(loc="lower right", frameon=False, labelcolor=INK)
        _dress(ax)
        return self
