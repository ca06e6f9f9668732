"""How a new model takes the old one's place: at once, whatever interrupts it.

A request works the new state out while the old one stays as it is. :func:`commit` then puts the new
states of all estimators involved in force by one call of compiled code, within which Python handles
no signal and runs no other thread: before it the old model is in force, after it the new one, in
every step of a pipeline. What is still to be done then, such as overwriting what was replaced, is
listed in a journal of actions that may be repeated. It is gone through to its end whatever is
raised meanwhile, and that is raised afterwards.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from skunlearn._locks import CommitLock, holding
from skunlearn._samples.tables import overwrite
from skunlearn._unlearning.report import Guarantee, StepReport
from skunlearn._unlearning.step_input import StepInput

# Held while new states take the place of old ones and while a reader picks up a model: both take a
# microsecond. It is what makes a pipeline's predictions all-old or all-new.
_SWITCH = CommitLock()

# Held from then on until the journal is done, which other readers need not wait for.
_FINISHING = CommitLock()

# Journals of commits that are under way, or were left as they were interrupted too often.
_JOURNALS: list[_Journal] = []

# How often an action of a journal is tried before the error is raised without it.
_ATTEMPTS = 16


class Replacement(NamedTuple):
    """One estimator's part in a commit.

    Parameters
    ----------
    estimator : object
        An estimator, or an object among its attributes.

    attributes : dict
        What to set.

    rows : ndarray of dtype intp or None
        Slots of the estimator's store to overwrite. None if `attributes` are the complete new
        state of the estimator.

    edit : callable, default=None
        Changes large buffers in place, once the new states are in force. It is called again if it
        was interrupted, and must then bring about the same.

    lock : context manager, default=None
        Keeps new readers of these buffers off. Like locks of `threading` it should be entered and
        left by compiled code, so that no signal leaves it locked.

    wait : callable, default=None
        Waits, under the lock, until those who were reading are done.
    """

    estimator: Any
    attributes: dict[str, Any]
    rows: np.ndarray | None
    edit: Callable[[], None] | None = None
    lock: AbstractContextManager[Any] | None = None
    wait: Callable[[], None] | None = None


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

    n_passes : float, default=0.0
        Rows read, of those that stay, in units of the rows held; for costs, which are foretold by
        working a removal out unless `_cost` says more.
    """

    attributes: dict[str, Any]
    guarantee: Guarantee | None = None
    n_refitted: int = 0
    n_parts: int = 1
    part: str = "model"
    steps: tuple[StepReport, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    step_input: StepInput | None = None
    n_passes: float = 0.0


class _Journal:
    """One commit: the new states, and what is to be done once they are in force.

    Parameters
    ----------
    replacements : iterable of Replacement
        Nothing of them is in force yet.

    Attributes
    ----------
    locks : list of context manager
        To be held while it is carried out.

    stores : list of SampleStore
        Those that lose rows.
    """

    __slots__ = ("_actions", "_objects", "_states", "_waits", "locks", "stores")

    def __init__(self, replacements: Iterable[Replacement]) -> None:
        objects: dict[int, Any] = {}
        states: dict[int, dict[str, Any]] = {}
        removed: list[dict[str, Any]] = []
        wipes: list[Callable[[], None]] = []
        self.locks: list[AbstractContextManager[Any]] = []
        self.stores: list[Any] = []
        self._waits: list[Callable[[], None]] = []
        # Each may be called again if it was interrupted.
        self._actions: list[Callable[[], None]] = []
        for estimator, attributes, rows, edit, lock, wait in replacements:
            key = id(estimator)
            objects[key] = estimator
            if rows is None:
                states[key] = dict(attributes)
            else:
                states[key] = states.get(key, estimator.__dict__) | attributes
                if rows.size:
                    store = attributes.get("_samples", estimator._samples)
                    state, wipe_rows = store.remove(rows)
                    self.stores.append(store)
                    removed.append(state)
                    wipes.append(wipe_rows)
            if edit is not None:
                self._actions.append(edit)
            if lock is not None:
                self.locks.append(lock)
            if wait is not None:
                self._waits.append(wait)
        self._actions += wipes
        for key, target in objects.items():
            self._actions += _overwriting_replaced(target, states[key])
        self._objects = [*objects.values(), *self.stores]
        self._states = [*states.values(), *removed]

    def carry_out(self) -> None:
        """Put the new states in force and do what is to be done then."""
        for wait in self._waits:
            wait()
        with _FINISHING:
            try:
                _JOURNALS.append(self)
                setting = map(object.__setattr__, self._objects, repeat("__dict__"), self._states)
                with _SWITCH:
                    any(setting)  # one call of compiled code, which sets all as none returns True
            finally:
                self.finish()

    def finish(self) -> None:
        """Do what is still to be done, if the new states are in force.

        An error is raised when all else is done.
        """
        actions = self._actions
        raised: BaseException | None = None
        n_failed = 0
        try:
            if self._objects[-1].__dict__ is not self._states[-1]:
                actions.clear()
            while actions:
                try:
                    actions[0]()
                    actions.pop(0)
                    n_failed = 0
                except BaseException as error:
                    raised = error
                    n_failed += 1
                    if n_failed == _ATTEMPTS and isinstance(error, Exception):
                        actions.pop(0)
                        n_failed = 0
        finally:
            if not actions and self in _JOURNALS:
                _JOURNALS.remove(self)
        if raised is not None:
            raise raised


def commit(replacements: Iterable[Replacement]) -> None:
    """Put new states in force, all at once, then overwrite what they replace.

    Parameters
    ----------
    replacements : iterable of Replacement
        The new state of each estimator involved. Until all are in force, an error leaves all
        estimators as they were; afterwards it is raised when everything else is done.
    """
    journal = _Journal(replacements)
    holding(journal.locks, journal.carry_out)
    for store in journal.stores:
        store.compact_if_sparse()


def finish_interrupted() -> None:
    """Finish commits that were interrupted so often that they were left."""
    if _JOURNALS and _FINISHING.acquire(blocking=False):  # else they are under way
        try:
            for journal in list(_JOURNALS):
                journal.finish()
        finally:
            _FINISHING.release()


@functools.cache
def overwritten_attributes(cls: Any) -> frozenset[str]:
    """Return the names of what is overwritten when it is replaced in an object of a class."""
    return frozenset(name for base in cls.__mro__ for name in vars(base).get("_overwritten", ()))


def _overwriting_replaced(target: Any, state: dict[str, Any]) -> list[Callable[[], None]]:
    """List actions that overwrite what an object has no longer when it gets another state."""
    former = target.__dict__
    actions: list[Callable[[], None]] = []
    for name in overwritten_attributes(target.__class__):
        old, new = former.get(name), state.get(name)
        if old is not new:
            actions += _letting_go(old, new)
    return actions


def _letting_go(old: Any, new: Any) -> list[Callable[[], None]]:
    """List actions that overwrite what is left when `new` takes the place of `old`.

    Of a tuple these are the moments in it that the new tuple does not share; arrays in a tuple are
    the public ones of another estimator.
    """
    if isinstance(old, np.ndarray):
        return [functools.partial(overwrite, old)]
    if isinstance(old, tuple):
        kept = set(map(id, new)) if isinstance(new, tuple) else set()
        return [part.wipe for part in old if hasattr(part, "wipe") and id(part) not in kept]
    return [old.wipe] if hasattr(old, "wipe") else []


def snapshot(estimator: Any) -> Any:
    """Copy an estimator's attribute table, so that one reader sees one version of the model."""
    finish_interrupted()
    view = object.__new__(type(estimator))
    with _SWITCH:
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
        return holding(self._read_locks(), lambda: method(snapshot(self), *args, **kwargs))

    return on_snapshot
