"""How one request passes through the steps of a pipeline."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing, get_tags

from skunlearn._arrays import DeviceTable, is_foreign
from skunlearn._ids import as_keys
from skunlearn._sample_store import SampleStore
from skunlearn._swap import Swap
from skunlearn._tables import native, take
from skunlearn.base import Guarantee, Removal, StepReport, UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError

_STRENGTH = ("bitwise", "numerical", "bounded", "certified", "distributional", "none")
_MEASURES = {
    "numerical": ("tolerance", "error"),
    "bounded": ("bound",),
    "certified": ("bound", "epsilon", "delta", "n_releases", "composed_epsilon"),
}


def passes_through(step: Any) -> bool:
    """Tell whether a step remembers no rows that a request could be about."""
    if step in (None, "passthrough") or isinstance(step, FrozenEstimator):
        return True
    return not get_tags(step).requires_fit


def weakest(guarantees: list[Guarantee]) -> Guarantee:
    """Combine what the parts of a model promise into what the whole can promise."""
    if not guarantees:
        return Guarantee("bitwise")
    kind = max((g.kind for g in guarantees), key=_STRENGTH.index)
    scope = "output" if any(g.scope == "output" for g in guarantees) else "state"

    def largest(name: str) -> Any:
        values = [getattr(g, name) for g in guarantees if getattr(g, name) is not None]
        return max(values, default=None)

    return Guarantee(kind, scope, **{name: largest(name) for name in _MEASURES.get(kind, ())})


class Passage:
    """A request on its way through the steps, in order, nothing of it in force yet.

    Parameters
    ----------
    ids : ndarray
        Ids of the rows to remove.

    rows : SampleStore
        The pipeline's own store; holds the raw rows where steps of other packages are refitted.

    refits_others : bool
        Whether a step that cannot unlearn is refitted on the rows left.
    """

    def __init__(self, ids: np.ndarray, rows: SampleStore, refits_others: bool) -> None:
        self.ids = ids
        self.rows = rows
        self.refits_others = refits_others
        self.removals: list[Removal] = []
        self.reports: list[StepReport] = []
        self.swaps: list[Swap] = []
        self.guarantees: list[Guarantee] = []
        self.steps: list[tuple[str, Any]] = []
        # What reaches the next step if it differs from what that step was fitted on: the rows
        # left, as they are now, or the affine maps, former and present, of rows a step holds.
        self._changed = False
        self._current: Any = None
        self._views: list[Any] = []
        self._source: Any = None

    def go_through(self, name: str, step: Any) -> None:
        """Take the request through one more step."""
        started = perf_counter()
        after = step
        if isinstance(step, UnlearnerMixin):
            way = self._unlearner(name, step)
        elif passes_through(step):
            way = "frozen" if isinstance(step, FrozenEstimator) else "unchanged"
            self._move_on(step)
        elif self.refits_others:
            way = "refitted"
            after = self._other(name, step)
        else:
            raise NotUnlearnableError(
                f"Step {name!r} ({type(step).__name__}) remembers training rows and cannot forget "
                "them. Use its counterpart in skunlearn; or wrap it in "
                "sklearn.frozen.FrozenEstimator if it was fitted on other rows; or set "
                "on_memory='refit' to have it refitted with each request. Nothing was changed."
            )
        self.steps.append((name, after))
        self.reports.append(StepReport(name, way, perf_counter() - started))

    def _unlearner(self, name: str, step: UnlearnerMixin) -> str:
        store = step._check_samples()
        rows = store.resolve(self.ids, strict=False)[1]
        if rows.size == store.n_samples:
            raise NotUnlearnableError(
                f"The request would leave step {name!r} without rows. Nothing was changed."
            )
        source = self._source
        removal: Removal | None
        if self._changed:
            removal = None
            if (
                source is not None
                and step._unlearning_tags.pushes_affine
                and (getattr(step, "_frame", None) is not None or store.aligned_with(source[0]))
            ):
                removal = step._push_affine(rows, *source)
            if removal is None:
                self._refit_unlearner(name, step, store, rows)
                return "refitted"
            way = "pushed through"
        elif rows.size:
            removal = step._unlearn(rows)
            way = "unlearned"
        else:
            removal = Removal({})
            way = "unchanged"
        self.swaps += [Swap(step, removal.attributes, rows), *removal.swaps]
        self.removals.append(removal)
        self.guarantees.append(removal.guarantee or step._static_guarantee())
        if hasattr(step, "transform"):
            after = step._after(removal)
            self._source = None
            if self._changed:
                self._views.append(after)
            elif rows.size:
                if hasattr(after, "_affine_map"):
                    self._source = (store, step._affine_map(), after._affine_map())
                self._current = lambda: (
                    after._outputs_without(self.ids),
                    store.ids_of(store.slots_without(rows)),
                )
                self._changed = True
        return way

    def _refit_unlearner(
        self, name: str, step: UnlearnerMixin, store: SampleStore, rows: np.ndarray
    ) -> None:
        kept = store.slots_without(rows)
        ids = store.ids_of(kept)
        fresh = clone(step)
        step._hand_on(fresh)
        arguments = {"sample_ids": ids}
        if store.sample_weight is not None:
            arguments["sample_weight"] = store.publish(store.sample_weight[kept])
        _fit(name, fresh, self._rows_now(name, ids), step._fit_targets(kept), **arguments)
        fresh.__dict__.pop("_seed_to_keep", None)
        self.swaps += step._adopt(fresh)
        self.guarantees.append(fresh._guarantee_of_fit())
        self.removals.append(Removal({}, n_refitted=1))
        self._source = None
        self._views.append(fresh)

    def _other(self, name: str, step: Any) -> Any:
        fresh = clone(step)
        kept = self.rows.slots_without(self.rows.resolve(self.ids, strict=False)[1])
        if not self._changed:
            self._current = native(take(self.rows.X, kept)), self.rows.ids_of(kept)
            self._views = [view for _, view in self.steps if view not in (None, "passthrough")]
            self._changed = True
        rows = self._rows_now(name, self.rows.ids_of(kept))
        _fit(name, fresh, rows, take(self.rows.y, kept))
        self.guarantees.append(Guarantee("distributional"))
        self.removals.append(Removal({}, n_refitted=1))
        self._source = None
        self._views.append(fresh)
        return fresh

    def _move_on(self, step: Any) -> None:
        if self._changed and step not in (None, "passthrough"):
            self._source = None
            self._views.append(step)

    def _rows_now(self, name: str, ids: np.ndarray) -> Any:
        """Return the rows with the given ids as they reach the next step now."""
        rows, held = self._current() if callable(self._current) else self._current
        for view in self._views:
            rows = view.transform(rows)
        self._current, self._views = (rows, held), []
        if np.array_equal(ids, held):
            return rows
        wanted = set(as_keys(ids))
        chosen = [place for place, key in enumerate(as_keys(held)) if key in wanted]
        if not np.array_equal(held[chosen], ids):
            raise NotUnlearnableError(
                f"Step {name!r} holds rows that a step before it has forgotten or never seen, so "
                "it cannot be brought up to date. Fit the pipeline anew. Nothing was changed."
            )
        if is_foreign(rows):
            return DeviceTable(rows).take(np.array(chosen)).array
        return _safe_indexing(rows, chosen)


def _fit(name: str, step: Any, X: Any, y: Any, **arguments: Any) -> None:
    """Fit a step anew; what it refuses to be fitted on cannot be the result of a request."""
    try:
        step.fit(X, y, **arguments)
    except ValueError as error:
        raise NotUnlearnableError(
            f"Step {name!r} ({type(step).__name__}) cannot be fitted on the rows that would be "
            f"left: {error} Nothing was changed."
        ) from error
