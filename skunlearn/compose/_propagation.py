"""How one request passes through the steps of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils import get_tags

from skunlearn._array_api import is_foreign
from skunlearn._compat import column_names, safe_indexing
from skunlearn._samples.ids import as_keys
from skunlearn._samples.store import SampleStore
from skunlearn._samples.strings import narrowed
from skunlearn._samples.tables import as_table, native, take
from skunlearn._unlearning.commit import Replacement
from skunlearn._unlearning.report import most_expensive, weakest
from skunlearn._unlearning.step_input import Source, StepInput
from skunlearn.base import Guarantee, Removal, StepReport, UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError

# Transformers that say that they have to be fitted and remember no more than the columns.
_KNOW_COLUMNS_ONLY = (PolynomialFeatures,)


def passes_through(step: Any) -> bool:
    """Tell whether a step remembers no rows that a request could be about."""
    if step is None or isinstance(step, str | FrozenEstimator) or type(step) in _KNOW_COLUMNS_ONLY:
        return True
    return not get_tags(step).requires_fit


def forgets(step: Any) -> bool:
    """Tell whether a request can be carried out in a step without refitting it."""
    return isinstance(step, UnlearnerMixin) or passes_through(step)


class Propagation:
    """A request on its way through the steps of a composition, nothing of it in force yet.

    Parameters
    ----------
    whole : SampleStore
        The composition's own store.

    rows : ndarray of dtype intp
        The slots of it that are to go.

    refits_others : bool
        Whether a step that cannot unlearn is refitted on the remaining rows.

    Attributes
    ----------
    step_input : StepInput
        The remaining rows, as they will reach the next step; to be set before the first one.

    steps : list of (str, estimator)
        The steps gone through, as they will be.
    """

    step_input: StepInput

    def __init__(self, whole: SampleStore, rows: np.ndarray, refits_others: bool) -> None:
        self.whole = whole
        self.rows = rows
        self.refits_others = refits_others
        self.removals: list[Removal] = []
        self.reports: list[StepReport] = []
        self.replacements: list[Replacement] = []
        self.guarantees: list[Guarantee] = []
        self.steps: list[tuple[str, Any]] = []

    def go_through(self, name: str, step: Any) -> None:
        """Take the request through one more step."""
        started = perf_counter()
        parts: tuple[StepReport, ...] = ()
        after = step
        if isinstance(step, UnlearnerMixin):
            way, parts = self._unlearner(name, step)
        elif passes_through(step):
            way, after = self._passed(name, step)
        elif self.refits_others:
            way = "refitted"
            after = self._other(name, step)
        else:
            raise NotUnlearnableError(
                f"Step {_called(name, step)} remembers training rows and cannot forget "
                "them. Use its namesake in skunlearn, if there is one; or wrap it in "
                "sklearn.frozen.FrozenEstimator if it was fitted on other rows; or set "
                "on_memory='refit' to have it refitted with each request. Nothing was changed."
            )
        self.steps.append((name, after))
        self.reports.append(StepReport(name, way, perf_counter() - started))
        self.reports += [
            StepReport(f"{name}__{part.name}", part.way, part.seconds) for part in parts
        ]

    def replaces(self, steps: list[tuple[str, Any]]) -> bool:
        """Tell whether other estimators are to take the place of some of the steps."""
        pairs = zip(self.steps, steps, strict=True)
        return any(new is not old for (_, new), (_, old) in pairs)

    def knows(self, step_inputs: Iterable[StepInput]) -> bool:
        """Tell whether it is worked out what comes out of steps."""
        return True

    def removal(self, attributes: dict[str, Any], step_input: StepInput) -> Removal:
        """Return what the composition does, given its own attributes and what comes out of it."""
        return Removal(
            attributes,
            weakest(self.guarantees),
            sum(removal.n_refitted for removal in self.removals),
            sum(removal.n_parts for removal in self.removals),
            "part",
            tuple(self.reports),
            tuple(self.replacements),
            step_input,
            sum(removal.n_passes for removal in self.removals),
        )

    def _passed(self, name: str, step: Any) -> tuple[str, Any]:
        """Pass a step that remembers no rows, but perhaps which columns there are."""
        frozen = isinstance(step, FrozenEstimator)
        if not hasattr(step, "transform"):
            return "unchanged", step
        after = step
        if (
            self.step_input.changed
            and not frozen
            and not saw_columns_of(step, self.step_input.get()[0])
        ):
            after = _shown_to(name, step, clone(step).fit, self.step_input.get()[0])
        way = "frozen" if frozen else "unchanged" if after is step else "refitted"
        self.step_input = self.step_input.through(
            lambda rows: _shown_to(name, step, after.transform, rows)
        )
        return way, after

    def _unlearner(self, name: str, step: UnlearnerMixin) -> tuple[str, tuple[StepReport, ...]]:
        store = step._check_samples()
        rows = self._rows_of(store)
        if rows.size == store.n_samples:
            raise NotUnlearnableError(
                f"The request would leave step {_called(name, step)} without rows. Nothing was "
                "changed."
            )
        with _naming(name, step):
            way, removal = self._ask(step, rows)
        if removal is None:
            self._refit_unlearner(name, step, store, rows)
            return "refitted", ()
        self.replacements += [Replacement(step, removal.attributes, rows), *removal.replacements]
        self.removals.append(removal)
        self.guarantees.append(removal.guarantee or step._static_guarantee())
        if hasattr(step, "transform"):
            self.step_input = step_input_after(step, removal, rows, self.step_input.changed)
        if removal.steps:
            way = most_expensive([part.way for part in removal.steps])
        return way, removal.steps

    def _ask(self, step: Any, rows: np.ndarray) -> tuple[str, Removal | None]:
        """Let a step unlearn, and say which way; None if it has to be fitted anew."""
        step._samples.make_writable()
        if self.step_input.changed:
            return "pushed through", step._follow_input(rows, self.step_input)
        if rows.size:
            return "unlearned", step._unlearn(rows)
        return "unchanged", Removal({})

    def _rows_of(self, store: SampleStore) -> np.ndarray:
        """Return the slots of a step's store that are to go."""
        if store.laid_out_as(self.whole):
            return self.rows
        return store.resolve(self.whole.ids_of(self.rows), strict=False)[1]

    def _refit_unlearner(
        self, name: str, step: UnlearnerMixin, store: SampleStore, rows: np.ndarray
    ) -> None:
        kept = store.slots_without(rows)
        ids = store.ids_of(kept)
        fresh = clone(step)
        arguments = step._fit_arguments(kept)
        _shown_to(
            name,
            step,
            partial(fresh._fit_from, step._handed_over()),
            self._rows_now(name, ids),
            step._fit_targets(kept),
            **arguments,
        )
        self.replacements += step._adopt(fresh)
        self.guarantees.append(fresh._guarantee_of_fit())
        n_passes = fresh._n_passes_of_fit() * kept.size / store.n_samples
        self.removals.append(Removal({}, n_refitted=1, n_passes=n_passes))
        self.step_input = StepInput(lambda: (fresh._outputs_at(np.arange(kept.size)), ids))

    def _other(self, name: str, step: Any) -> Any:
        fresh = clone(step)
        kept = self.whole.slots_without(self.rows)
        ids = self.whole.ids_of(kept)
        rows, y = self._rows_now(name, ids), narrowed(take(self.whole.y, kept))
        if hasattr(step, "transform"):
            makes = getattr(fresh, "fit_transform", lambda X, y: fresh.fit(X, y).transform(X))
            outputs = _shown_to(name, step, makes, rows, y)
            self.step_input = StepInput(lambda: (outputs, ids))
        else:
            _shown_to(name, step, fresh.fit, rows, y)
        self.guarantees.append(Guarantee("distributional"))
        n_passes = kept.size / self.whole.n_samples
        self.removals.append(Removal({}, n_refitted=1, n_passes=n_passes))
        return fresh

    def _rows_now(self, name: str, ids: np.ndarray) -> Any:
        """Return the rows with the given ids as they reach the next step now."""
        rows, held = self.step_input.get()
        if np.array_equal(ids, held):
            return rows
        wanted = set(as_keys(ids))
        chosen = [position for position, key in enumerate(as_keys(held)) if key in wanted]
        if not np.array_equal(held[chosen], ids):
            raise NotUnlearnableError(
                f"Step {name!r} holds rows that a step before it has forgotten or never seen, so "
                "it cannot be brought up to date. Fit the pipeline anew. Nothing was changed."
            )
        if is_foreign(rows):
            return native(take(as_table(rows), np.array(chosen)))
        return safe_indexing(rows, chosen)


def step_input_after(step: Any, removal: Removal, rows: np.ndarray, changed: bool) -> StepInput:
    """Return what will come out of a transformer that forgets.

    Parameters
    ----------
    step : UnlearnerMixin
        The transformer as it is.
    removal : Removal
        What it is about to do.
    rows : ndarray of dtype intp
        Slots that it is about to lose.
    changed : bool
        Whether other rows than before came in.
    """
    if removal.step_input is not None:
        return removal.step_input
    samples = step._samples
    after = step._after(removal)

    def compute() -> tuple[Any, np.ndarray]:
        positions = samples.positions_without(rows)
        return after._outputs_at(positions), samples.ids_of(samples.slots()[positions])

    if not changed and (not rows.size or step._keeps_outputs(after, rows)):
        return StepInput(compute, changed=False)
    before, present = step._as_map(), after._as_map()
    source = None
    if before is not None and present is not None and not changed:
        source = Source(before, present, lambda: samples.ids, step._before_map)
    return StepInput(compute, source=source)


def saw_columns_of(step: Any, X: Any) -> bool:
    """Tell whether a fitted step saw rows with the same columns, by number and name."""
    names, known = column_names(X), getattr(step, "feature_names_in_", None)
    if names is None or known is None:
        return names is known and X.shape[1] == getattr(step, "n_features_in_", X.shape[1])
    return np.array_equal(names, known)


@contextmanager
def _naming(name: str, step: UnlearnerMixin) -> Iterator[None]:
    """Say which step refuses a request; a composition has said which of its own does."""
    try:
        yield
    except NotUnlearnableError as error:
        if step._names_steps:
            raise
        raise NotUnlearnableError(f"Step {_called(name, step)}: {error}") from error


def _shown_to(name: str, step: Any, method: Any, X: Any, *y: Any, **arguments: Any) -> Any:
    """Show a step the remaining rows; what it refuses cannot be the result of a request."""
    try:
        return method(X, *y, **arguments)
    except ValueError as error:
        raise NotUnlearnableError(
            f"Step {_called(name, step)} does not take the rows that would be left: {error} "
            "Nothing was changed."
        ) from error


def _called(name: str, step: Any) -> str:
    """Name a step in an error."""
    return f"{name!r} ({type(step).__name__})"
