"""What a request would take, told without carrying it out."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from skunlearn._locks import holding
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.commit import Removal
from skunlearn._unlearning.report import StepReport, duration, frame_of_one_row, table_html
from skunlearn._unlearning.step_input import StepInput
from skunlearn._unlearning.stopwatch import Stopwatch

if TYPE_CHECKING:
    import pandas

__all__ = ["UnlearningCost"]


@dataclass(frozen=True, slots=True)
class UnlearningCost:
    """What a request would take. Two are equal if all but the times are.

    Parameters
    ----------
    estimator : str, default=""
        Class name of the estimator.

    n_ids : int, default=0
        Distinct ids in the request.

    n_rows : int, default=0
        Training rows that it would remove.

    n_parts_touched : int, default=0
        Parts of the model that would be computed anew: `n_refitted` of the report.

    n_parts : int, default=1
        Parts of the model in all.

    part : str, default="model"
        What a part is, for example "shard".

    n_passes : float, default=0.0
        Rows read, of those held, in units of the rows held. A fit is one pass where it is not known
        how many it makes. Where an iteration would go on until it converges, the number is an
        estimate.

    seconds : float, default=0.0
        Estimated wall time. NaN where something would be fitted anew of which it is not known how
        long a fit takes.

    steps : tuple of StepReport, default=()
        For a pipeline, which way each step would go, and the estimated time.
    """

    estimator: str = ""
    n_ids: int = 0
    n_rows: int = 0
    n_parts_touched: int = 0
    n_parts: int = 1
    part: str = "model"
    n_passes: float = 0.0
    seconds: float = field(default=0.0, compare=False)
    steps: tuple[StepReport, ...] = field(default=(), compare=False)

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("ids requested", f"{self.n_ids:,}"),
            ("rows to remove", f"{self.n_rows:,}"),
            (f"{self.part}s to refit", f"{self.n_parts_touched:,} of {self.n_parts:,}"),
            ("passes", f"{self.n_passes:.3g}"),
            ("time", duration(self.seconds)),
        ]
        rows += [(f"step {s.name}", f"{s.way}, {duration(s.seconds)}") for s in self.steps]
        return rows

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name:<{width}}  {value}" for name, value in rows]
        return "\n".join([f"{self.estimator}.unlearning_cost", *lines])

    def _repr_html_(self) -> str:
        return table_html(f"{self.estimator}.unlearning_cost", self._rows())

    def to_frame(self) -> pandas.DataFrame:
        """Return the cost as a data frame of one row (requires pandas).

        Returns
        -------
        frame : pandas.DataFrame
            One column per field but `steps`.
        """
        names = [part.name for part in fields(self) if part.name != "steps"]
        return frame_of_one_row({name: getattr(self, name) for name in names})


def cost_of(removal: Removal, seconds: float) -> UnlearningCost:
    """Return the cost of a removal that has been worked out."""
    return UnlearningCost(
        n_parts_touched=removal.n_refitted,
        n_parts=removal.n_parts,
        part=removal.part,
        n_passes=removal.n_passes,
        seconds=seconds,
        steps=removal.steps,
    )


def stand_in(cost: UnlearningCost) -> Removal:
    """Return a removal in the place of one that is not worked out."""
    return Removal(
        {},
        None,
        cost.n_parts_touched,
        cost.n_parts,
        cost.part,
        cost.steps,
        step_input=UNKNOWN,
        n_passes=cost.n_passes,
    )


# What a request would take, and what it would do, where that had to be worked out.
Foretold = tuple[UnlearningCost, Removal | None]


def _not_worked_out() -> NoReturn:
    raise AssertionError("Rows that a request would make were asked for, but it was only foretold.")


# What comes out of a step that would change in a way that is not worked out.
UNKNOWN = StepInput(_not_worked_out)


class TellsCost:
    """The question what a request would take, around one private hook."""

    _cost_class: ClassVar[type[UnlearningCost]] = UnlearningCost
    _samples: SampleStore

    def unlearning_cost(self: Any, sample_ids: Any) -> UnlearningCost:
        """Tell what a request would take, without carrying it out.

        Nothing has changed afterwards, and callbacks have heard nothing. Where a request takes
        much, telling takes far less: what would be fitted anew is counted and not fitted.

        Parameters
        ----------
        sample_ids : id or array-like of shape (n_ids,)
            As for :meth:`unlearn`.

        Returns
        -------
        cost : UnlearningCost
            Rows, parts, passes over the rows held, and estimated time.

        Raises
        ------
        UnknownSampleError, NotUnlearnableError, ValueError
            What :meth:`unlearn` would raise; a refusal that only fitting anew would bring about is
            not foreseen.
        """
        self._check_samples()

        def told() -> UnlearningCost:
            n_ids, rows = self._resolve(sample_ids)
            cost = self._cost(rows)[0] if rows.size else self._cost_class()
            name = type(self).__name__
            return replace(cost, estimator=name, n_ids=n_ids, n_rows=rows.size)

        return holding(self._locks(), told)

    def _cost(self: Any, rows: np.ndarray) -> Foretold:
        """Tell what a removal would take; must not change `self`.

        What is here works the removal out, which is cheap for most estimators. Others count.

        Parameters
        ----------
        rows : ndarray of dtype intp
            As for `_unlearn`.

        Returns
        -------
        cost : UnlearningCost
            Without names and numbers of ids and rows.

        removal : Removal or None
            Where it has been worked out.
        """
        with Stopwatch() as watch:
            removal = self._unlearn(rows)
        return cost_of(removal, watch.seconds), removal

    def _cost_behind(self: Any, rows: np.ndarray, step_input: StepInput) -> Foretold | None:
        """Tell what a removal would take where what comes in has changed; None if a refit.

        Parameters
        ----------
        rows : ndarray of dtype intp
            As for `_follow_input`.

        step_input : StepInput
            The remaining rows, as they would come in, to be asked for their source only.
        """
        with Stopwatch() as watch:
            removal = self._follow_input(rows, step_input)
        return None if removal is None else (cost_of(removal, watch.seconds), removal)

    def _cost_of_fit(
        self, rows: np.ndarray, n_parts: int = 1, part: str = "model"
    ) -> UnlearningCost:
        """Tell what fitting anew without some rows would take."""
        n_held = self._samples.n_samples
        n_remaining = n_held - rows.size
        return UnlearningCost(
            n_parts_touched=n_parts,
            n_parts=n_parts,
            part=part,
            n_passes=self._n_passes_of_fit() * n_remaining / n_held,
            seconds=self._seconds_of_fit(n_remaining),
        )

    def _seconds_of_fit(self, n_rows: int) -> float:
        """Estimate the time of a fit on so many rows by what the last one took."""
        return float(self.__dict__.get("_seconds_per_row", np.nan)) * n_rows

    def _n_passes_of_fit(self) -> float:
        """Return how many passes over its rows a fit makes, or 1 where that is not known."""
        return 1.0
