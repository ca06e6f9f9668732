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
from collections import deque
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
    """What a commit has to do once the new states are in force.

    Parameters
    ----------
    objects : list of object
        Whose states change.

    states : list of dict
        What their attributes will be.

    actions : list of callable
        Each may be called again if it was interrupted.
    """

    def __init__(
        self, objects: list[Any], states: list[dict[str, Any]], actions: list[Callable[[], None]]
    ) -> None:
        self._objects = objects
        self._states = states
        self._actions = deque(actions)

    def switch(self) -> None:
        """Put all new states in force, by one call of compiled code that allocates nothing."""
        set_all = map(object.__setattr__, self._objects, repeat("__dict__"), self._states)
        with _SWITCH:
            deque(set_all, maxlen=0)

    @property
    def is_in_force(self) -> bool:
        """Whether the new states are in force."""
        return self._objects[-1].__dict__ is self._states[-1]

    @property
    def is_pending(self) -> bool:
        """Whether something is to be done yet."""
        return self.is_in_force and bool(self._actions)

    def finish(self) -> None:
        """Go through the actions to the end; an error among them is raised when all are done."""
        raised: BaseException | None = None
        n_failed = 0
        while self._actions:
            try:
                self._actions[0]()
                self._actions.popleft()
                n_failed = 0
            except BaseException as error:
                raised = error
                n_failed += 1
                if n_failed == _ATTEMPTS and isinstance(error, Exception):
                    self._actions.popleft()
                    n_failed = 0
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
    replacements = list(replacements)
    journal, stores = _prepare(replacements)
    locks = [part.lock for part in replacements if part.lock is not None]
    waits = [part.wait for part in replacements if part.wait is not None]
    holding(locks, functools.partial(_carry_out, journal, waits))
    for store in stores:
        store.compact_if_sparse()


def _carry_out(journal: _Journal, waits: list[Callable[[], None]]) -> None:
    for wait in waits:
        wait()
    holding([_FINISHING], functools.partial(_put_in_force, journal))


def _put_in_force(journal: _Journal) -> None:
    try:
        _JOURNALS.append(journal)
        journal.switch()
    finally:
        _finish(journal)


def _finish(journal: _Journal) -> None:
    try:
        if journal.is_in_force:
            journal.finish()
    finally:
        if journal in _JOURNALS and not journal.is_pending:
            _JOURNALS.remove(journal)


def finish_interrupted() -> None:
    """Finish commits that were interrupted so often that they were left."""
    if _JOURNALS and _FINISHING.acquire(blocking=False):  # else they are under way
        try:
            for journal in list(_JOURNALS):
                _finish(journal)
        finally:
            _FINISHING.release()


def _prepare(replacements: list[Replacement]) -> tuple[_Journal, list[Any]]:
    """Make the new states and the journal; nothing is changed yet.

    Returns
    -------
    journal : _Journal
    stores : list of SampleStore
        Those that lose rows.
    """
    objects: dict[int, Any] = {}
    states: dict[int, dict[str, Any]] = {}
    edits: list[Callable[[], None]] = []
    removals: list[Callable[[], None]] = []
    stores = []
    for part in replacements:
        estimator, attributes, rows = part.estimator, part.attributes, part.rows
        key = id(estimator)
        former = states.get(key, estimator.__dict__)
        objects[key] = estimator
        states[key] = dict(attributes) if rows is None else former | attributes
        if part.edit is not None:
            edits.append(part.edit)
        if rows is not None and rows.size:
            store = attributes.get("_samples", estimator._samples)
            state, wipe_rows = store.remove(rows)
            objects[id(store)], states[id(store)] = store, state
            removals.append(wipe_rows)
            stores.append(store)
    actions = [*edits, *removals]
    for target, state in zip(objects.values(), states.values(), strict=True):
        actions += _overwriting_replaced(target, state)
    return _Journal(list(objects.values()), list(states.values()), actions), stores


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
            actions += [functools.partial(_overwrite, buffer) for buffer in _let_go(old, new)]
    return actions


def _let_go(old: Any, new: Any) -> list[Any]:
    """List what has to be overwritten when `new` takes the place of `old`.

    Of a tuple these are the moments in it that the new tuple does not share; arrays in a tuple are
    the public ones of another estimator.
    """
    if not isinstance(old, tuple):
        return [old] if isinstance(old, np.ndarray) or hasattr(old, "wipe") else []
    kept = set(map(id, new)) if isinstance(new, tuple) else set()
    return [part for part in old if hasattr(part, "wipe") and id(part) not in kept]


def _overwrite(buffer: Any) -> None:
    if isinstance(buffer, np.ndarray):
        overwrite(buffer)
    else:
        buffer.wipe()


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
