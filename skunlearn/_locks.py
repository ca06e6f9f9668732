"""Locks that a fork does not leave locked for ever, nor what they guard half changed.

A child process has one thread, the one that forked; a lock that another thread held at that moment
would never be released in it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

T = TypeVar("T")

# Subclassed, so that entering and leaving stay single calls of compiled code: a signal that arrived
# within an `__enter__` of our own would leave the lock locked.
_RLock: Any = type(threading.RLock())


class ForkSafeRLock(_RLock):
    """A re-entrant lock that is free in a child process, unless the thread that forked holds it.

    Copies and pickles of it are new locks.

    Examples
    --------
    >>> from skunlearn._locks import ForkSafeRLock
    >>> lock = ForkSafeRLock()
    >>> with lock, lock:
    ...     lock.acquire(blocking=False)
    True
    """

    def __init__(self) -> None:
        super().__init__()
        _LOCKS.add(self)

    def __reduce__(self) -> Any:
        return type(self), ()

    def after_fork(self) -> None:
        """Make the lock new if a thread holds it that is not in this process."""
        if not self._is_owned():
            self._at_fork_reinit()


class CommitLock(ForkSafeRLock):
    """A lock that is held for moments, while things change in place: forks wait until it is free.

    So a child process finds all as it was before a change or as it is after.
    """

    def __init__(self) -> None:
        super().__init__()
        _COMMIT_LOCKS.add(self)


def holding(
    locks: Sequence[AbstractContextManager[Any]], action: Callable[..., T], *args: Any
) -> T:
    """Return what a function returns that is called while all of the locks are held.

    Nested `with` statements, unlike an `ExitStack`, leave no lock locked when a signal arrives.
    """
    if not locks:
        return action(*args)
    with locks[0]:
        return holding(locks[1:], action, *args) if len(locks) > 1 else action(*args)


_LOCKS: weakref.WeakSet[ForkSafeRLock] = weakref.WeakSet()
_COMMIT_LOCKS: weakref.WeakSet[CommitLock] = weakref.WeakSet()
_held: list[CommitLock] = []


def _before_fork() -> None:
    """Acquire all commit locks, and hold none while waiting for one: nobody waits for us."""
    while True:
        busy = None
        for lock in list(_COMMIT_LOCKS):
            if not lock.acquire(blocking=False):
                busy = lock
                break
            _held.append(lock)
        if busy is None:
            return
        _release_held()
        with busy:
            pass


def _release_held() -> None:
    while _held:
        _held.pop().release()


def _after_fork_in_child() -> None:
    _release_held()
    for lock in list(_LOCKS):
        lock.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_release_held,
        after_in_child=_after_fork_in_child,
    )
