"""What one request would take in each step of a composition, where nothing is fitted anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.commit import Removal
from skunlearn._unlearning.cost import UNKNOWN, UnlearningCost, cost_of, stand_in
from skunlearn._unlearning.report import StepReport
from skunlearn._unlearning.step_input import StepInput
from skunlearn.base import UnlearnerMixin
from skunlearn.compose._propagation import Propagation


class Foretelling(Propagation):
    """A request on its way through the steps of a composition that only asks what it would take.

    Steps whose removals are cheap work them out, so that it is known what reaches the next step.
    Behind one that does not, rows count as changed, and columns as the same.

    Parameters
    ----------
    whole, rows, refits_others
        As for :class:`Propagation`.

    seconds_of_others : float
        Estimated time of fitting one step anew that does not know how long it takes.

    Attributes
    ----------
    seconds : float
        Estimated time in all steps gone through.

    is_known : bool
        Whether all that these steps would do is worked out.
    """

    def __init__(
        self, whole: SampleStore, rows: np.ndarray, refits_others: bool, seconds_of_others: float
    ) -> None:
        super().__init__(whole, rows, refits_others)
        self.seconds_of_others = seconds_of_others
        self.seconds = 0.0
        self.is_known = True
        self._seconds_of_step = 0.0
        self._transforming = 0.0  # takes about what fitting does; for rows not transformed so far

    def go_through(self, name: str, step: Any) -> None:
        """Ask one more step."""
        first = len(self.reports)
        self._seconds_of_step = 0.0
        super().go_through(name, step)
        report = self.reports[first]
        self.reports[first] = StepReport(report.name, report.way, self._seconds_of_step)
        self.seconds += self._seconds_of_step
        if isinstance(step, UnlearnerMixin) and hasattr(step, "transform"):
            seconds = step._seconds_of_fit(self.whole.n_samples - self.rows.size)
            self._transforming += 0.0 if np.isnan(seconds) else seconds

    def knows(self, step_inputs: Iterable[StepInput]) -> bool:
        """Tell whether it is worked out what comes out of steps, without transforming rows."""
        return self.is_known and not any(
            step_input.changed and step_input.source is None for step_input in step_inputs
        )

    def cost(self, removal: Removal) -> UnlearningCost:
        """Return what the steps would take, given the composition's removal."""
        return cost_of(removal, self.seconds)

    def _ask(self, step: Any, rows: np.ndarray) -> tuple[str, Removal | None]:
        if self.step_input.changed:
            way, told = "pushed through", step._cost_behind(rows, self.step_input)
        elif rows.size:
            way, told = "unlearned", step._cost(rows)
        else:
            return "unchanged", Removal({})
        if told is None:
            return way, None
        cost, removal = told
        self._seconds_of_step = cost.seconds
        if removal is not None:
            return way, removal
        self.is_known = False
        return way, stand_in(cost)

    def _refit_unlearner(
        self, name: str, step: UnlearnerMixin, store: SampleStore, rows: np.ndarray
    ) -> None:
        step._fit_arguments(rows[:0])  # which refuses where weights cannot be replayed
        cost = step._cost_of_fit(rows)
        self._refit(cost.seconds, cost.n_passes)

    def _other(self, name: str, step: Any) -> Any:
        n_held = self.whole.n_samples
        self._refit(np.nan, (n_held - self.rows.size) / n_held)
        return step

    def _refit(self, seconds: float, n_passes: float) -> None:
        """Note that a step would be fitted anew."""
        seconds = self.seconds_of_others if np.isnan(seconds) else seconds
        self._seconds_of_step = seconds + self._transforming
        self._transforming = 0.0
        self.removals.append(Removal({}, n_refitted=1, n_passes=n_passes))
        self.step_input, self.is_known = UNKNOWN, False

    def _passed(self, name: str, step: Any) -> tuple[str, Any]:
        if not self.step_input.changed or not hasattr(step, "transform"):
            return super()._passed(name, step)
        self.step_input, self.is_known = UNKNOWN, False
        return "frozen" if isinstance(step, FrozenEstimator) else "unchanged", step
