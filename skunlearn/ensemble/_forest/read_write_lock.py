"""A lock for forests: many read a forest at once, or one changes it."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from skunlearn._locks import ForkSafeRLock

# Seconds between two looks at whether readers are still there.
_PAUSE = 2e-4


class _Reader:
    """Who reads; it is gone with the frame that reads, however that is left."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()


class ReadWriteLock:
    """A lock that many readers may hold at once, or one writer, who goes first.

    In a child process there are no readers but those in the thread that forked.

    Attributes
    ----------
    writing : ForkSafeRLock
        Who holds it keeps new readers off, and waits for the others by :meth:`wait_for_readers`.
    """

    def __init__(self) -> None:
        self.writing = ForkSafeRLock()
        self._readers: dict[int, weakref.ref[_Reader]] = {}
        _LOCKS.add(self)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wait for the writer, unless this thread is reading already, and keep others off."""
        reader = _Reader()
        entry = {id(reader): weakref.ref(reader)}
        if reader.thread in self.threads():
            self._readers.update(entry)
        else:
            with self.writing:
                self._readers.update(entry)
        try:
            yield
        finally:
            self._readers.pop(id(reader), None)

    def threads(self) -> set[int]:
        """Return the threads that are reading."""
        readers = [reference() for reference in list(self._readers.values())]
        return {reader.thread for reader in readers if reader is not None}

    def wait_for_readers(self) -> None:
        """Wait until no other thread reads."""
        if not self._readers:
            return
        while self.threads() - {threading.get_ident()}:
            time.sleep(_PAUSE)
        self._readers = {
            key: reference
            for key, reference in list(self._readers.items())
            if reference() is not None
        }

    def after_fork(self) -> None:
        """Forget the threads that are not in this process."""
        here = threading.get_ident()
        for key, reference in list(self._readers.items()):
            reader = reference()
            if reader is None or reader.thread != here:
                del self._readers[key]


_LOCKS: weakref.WeakSet[ReadWriteLock] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for lock in list(_LOCKS):
        lock.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
