"""How a new model takes the old one's place: at once, the old one's buffers overwritten."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from skunlearn._unlearning.report import Guarantee, StepReport
from skunlearn._unlearning.step_input import StepInput

# Held while a new model takes the old one's place and while a reader picks up a model: both take
# a microsecond. It is what makes a pipeline's predictions all-old or all-new.
_COMMIT = threading.RLock()


class Replacement(NamedTuple):
    """One estimator's part in a commit: the attributes to set and the rows to overwrite.

    Without rows (None) the attributes are the estimator's complete new state. `edit` is entered
    before the new states are in force and left after: what changes large buffers in place, where
    nobody reads them meanwhile.
    """

    estimator: Any
    attributes: dict[str, Any]
    rows: np.ndarray | None
    edit: contextlib.AbstractContextManager[None] | None = None


class Removal(NamedTuple):
    """What the private hook `_unlearn` returns: the new state, not yet in force.

    Parameters
    ----------
    attributes : dict
        Fitted attributes, public and private, as they will be; anything else stays as it is.

    guarantee : Guarantee, default=None
        As measured for this request; None takes the estimator's static promise.

    n_refitted : int, default=0
        Parts computed anew.

    n_parts : int, default=1
        Parts in all.

    part : str, default="model"
        What a part is.

    steps : tuple of StepReport, default=()
        For compositions, what each step did.

    replacements : tuple of Replacement, default=()
        For compositions, the new states of the parts.

    step_input : StepInput, default=None
        For compositions that transform, what will come out of them.
    """

    attributes: dict[str, Any]
    guarantee: Guarantee | None = None
    n_refitted: int = 0
    n_parts: int = 1
    part: str = "model"
    steps: tuple[StepReport, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    step_input: StepInput | None = None


def commit(replacements: Iterable[Replacement]) -> None:
    """Put new states in force, all at once, then overwrite the private buffers they replace.

    Parameters
    ----------
    replacements : iterable of Replacement
        The new state of each estimator involved.
    """
    replacements = list(replacements)
    replaced: list[Any] = []
    removals = [
        replacement.attributes.get("_samples", replacement.estimator._samples).removal(
            replacement.rows
        )
        for replacement in replacements
        if replacement.rows is not None and replacement.rows.size
    ]
    edits = [replacement.edit for replacement in replacements if replacement.edit is not None]
    with _all_of(edits) if edits else _COMMIT:
        for estimator, attributes, rows, _ in replacements:
            state = estimator.__dict__
            old = state if rows is None else attributes
            for name in old:
                if name[0] == "_" and name in state:
                    replaced += _let_go(state[name], attributes.get(name))
            state.update(attributes)
            if rows is None:
                for name in state.keys() - attributes.keys():
                    del state[name]
        for remove in removals:
            remove()
    for buffer in replaced:
        if isinstance(buffer, np.ndarray):
            buffer.fill(0)
        elif hasattr(buffer, "wipe"):
            buffer.wipe()


@contextlib.contextmanager
def _all_of(edits: list[contextlib.AbstractContextManager[None]]) -> Iterator[None]:
    """Enter edits, which may have to wait for readers, and then keep all readers off."""
    with contextlib.ExitStack() as entered:
        for edit in edits:
            entered.enter_context(edit)
        with _COMMIT:
            yield


def _let_go(old: Any, new: Any) -> list[Any]:
    """List what has to be overwritten when `new` takes the place of `old`.

    Of a tuple these are the moments in it that the new tuple does not share; arrays in a tuple are
    the public ones of another estimator.
    """
    if not isinstance(old, tuple):
        return [] if old is new else [old]
    kept = set(map(id, new)) if isinstance(new, tuple) else set()
    return [part for part in old if hasattr(part, "wipe") and id(part) not in kept]


def snapshot(estimator: Any) -> Any:
    """Copy an estimator's attribute table, so that one reader sees one version of the model."""
    view = object.__new__(type(estimator))
    with _COMMIT:
        view.__dict__.update(estimator.__dict__)
        if hasattr(view, "_snapshot_parts"):
            view._snapshot_parts()
    return view


def reads_one_version(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a predicting method run on a snapshot, so that a concurrent `unlearn` cannot mix in.

    Parameters
    ----------
    method : callable
        A method that reads fitted attributes and sets none.

    Returns
    -------
    method : callable
        The same method on a view that shows the model either before or after a request.
    """

    @functools.wraps(method)
    def on_snapshot(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._read_lock():
            return method(snapshot(self), *args, **kwargs)

    return on_snapshot
