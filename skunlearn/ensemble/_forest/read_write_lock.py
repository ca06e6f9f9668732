"""A lock for forests: many read a forest at once, or one changes it."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from skunlearn._locks import CommitLock


class ReadWriteLock:
    """A lock that many readers may hold at once, or one writer, who goes first.

    A fork waits for the writer, and in the child process there are no readers but the thread that
    forked.
    """

    def __init__(self) -> None:
        self._n_reading = 0
        self._n_waiting = 0
        self._free = threading.Condition()
        self._writing = CommitLock()
        self._mine = threading.local()
        _LOCKS.add(self)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wait for writers, unless this thread is reading already, and keep them off."""
        depth = getattr(self._mine, "depth", 0)
        with self._free:
            while self._n_waiting and not depth:
                self._free.wait()
            self._n_reading += 1
        self._mine.depth = depth + 1
        try:
            yield
        finally:
            self._mine.depth = depth
            with self._free:
                self._n_reading -= 1
                self._free.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Wait until nobody reads, and keep all others off."""
        with self._free:
            self._n_waiting += 1
            try:
                while self._n_reading:
                    self._free.wait()
                with self._writing:
                    yield
            finally:
                self._n_waiting -= 1
                self._free.notify_all()

    def after_fork(self) -> None:
        """Forget the threads that are not in this process."""
        self._n_reading = getattr(self._mine, "depth", 0)
        self._n_waiting = 0
        self._free = threading.Condition()


_LOCKS: weakref.WeakSet[ReadWriteLock] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for lock in list(_LOCKS):
        lock.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
