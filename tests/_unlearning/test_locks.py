import copy
import os
import pickle
import threading
from collections.abc import Callable

import pytest

from skunlearn._unlearning.locks import CommitLock, ForkSafeRLock

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
# Python warns of forks in processes with threads, which is what is tested.
forks_with_threads = pytest.mark.filterwarnings(
    "ignore:.*multi-threaded, use of fork:DeprecationWarning"
)


def in_child(check: Callable[[], bool]) -> bool:
    """Run a check in a forked child, which may not hang: checks only try locks."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def is_free(lock: ForkSafeRLock) -> bool:
    """Tell whether another thread could acquire a lock."""
    found = []

    def attempt():
        found.append(lock.acquire(blocking=False))
        if found[0]:
            lock.release()

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return found[0]


class HeldElsewhere:
    """A lock is held by another thread within the context."""

    def __init__(self, lock: ForkSafeRLock):
        self.lock = lock
        self.acquired, self.enough = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._hold)

    def _hold(self):
        with self.lock:
            self.acquired.set()
            self.enough.wait()

    def __enter__(self):
        self.thread.start()
        self.acquired.wait()
        return self

    def __exit__(self, *exception):
        self.enough.set()
        self.thread.join()


@pytest.mark.parametrize("kind", [ForkSafeRLock, CommitLock])
def test_lock_is_reentrant_and_excludes_other_threads(kind):
    lock = kind()
    with lock:
        with lock:
            assert not is_free(lock)
        assert not is_free(lock)
    assert is_free(lock)


@pytest.mark.parametrize("kind", [ForkSafeRLock, CommitLock])
@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda lock: pickle.loads(pickle.dumps(lock))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_are_new_locks(kind, duplicate):
    lock = kind()
    with HeldElsewhere(lock):
        twin = duplicate(lock)
        assert type(twin) is kind
        assert is_free(twin)
        assert not is_free(lock)


@needs_fork
@forks_with_threads
def test_lock_held_by_another_thread_is_free_in_the_child():
    lock = ForkSafeRLock()
    with HeldElsewhere(lock):
        assert in_child(lambda: is_free(lock))
        assert not is_free(lock)
    assert is_free(lock)


@needs_fork
@pytest.mark.parametrize("kind", [ForkSafeRLock, CommitLock])
def test_child_of_the_thread_that_holds_a_lock_goes_on_holding_it(kind):
    lock = kind()

    def check():
        held = not is_free(lock)
        lock.release()
        return held and is_free(lock)

    with lock:
        assert in_child(check)
        assert not is_free(lock)
    assert is_free(lock)


@needs_fork
@forks_with_threads
def test_fork_waits_for_changes_in_place():
    first, second, state = CommitLock(), CommitLock(), [0, 0]
    stop = threading.Event()

    def change():
        while not stop.is_set():
            with first, second:
                state[0] += 1
                threading.Event().wait(0.001)
                state[1] += 1

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            assert in_child(lambda: state[0] == state[1] and is_free(first) and is_free(second))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert is_free(first)
    assert is_free(second)
    assert state[0] > 0


@needs_fork
def test_locks_are_collected_and_forks_still_work():
    for _ in range(3):
        CommitLock()
    lock = ForkSafeRLock()
    assert in_child(lambda: is_free(lock))
