import threading

import pytest
from tests.test_locks import forks_with_threads, in_child, needs_fork

from skunlearn.ensemble._forest.read_write_lock import ReadWriteLock


class Busy:
    """Another thread is within a context meanwhile."""

    def __init__(self, context):
        self.context = context
        self.entered, self.enough = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._enter)

    def _enter(self):
        with self.context:
            self.entered.set()
            self.enough.wait()

    def __enter__(self):
        self.thread.start()
        self.entered.wait()
        return self

    def __exit__(self, *exception):
        self.enough.set()
        self.thread.join()


def can_write(lock):
    """Tell whether another thread gets to write within a second."""

    def write():
        with lock.writing():
            pass

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(1.0)
    return not thread.is_alive()


def test_readers_keep_writers_off_and_not_each_other():
    lock = ReadWriteLock()
    with Busy(lock.reading()), lock.reading(), lock.reading():
        assert lock._n_reading == 3
    assert can_write(lock)


@needs_fork
@forks_with_threads
def test_readers_in_other_threads_are_not_in_the_child():
    lock = ReadWriteLock()
    with Busy(lock.reading()):
        assert in_child(lambda: can_write(lock))
    assert can_write(lock)


@needs_fork
@forks_with_threads
def test_waiting_writers_are_not_in_the_child():
    lock = ReadWriteLock()

    def check():
        with lock.reading():
            return lock._n_reading == 1

    with Busy(lock.reading()):
        writer = threading.Thread(target=can_write, args=(lock,))
        writer.start()
        while not lock._n_waiting:
            pass
        assert in_child(check)
    writer.join()


@needs_fork
@forks_with_threads
def test_child_of_a_reader_goes_on_reading():
    lock = ReadWriteLock()

    def check():
        return lock._n_reading == 1 and not can_write(lock)

    with lock.reading():
        assert in_child(check)
    assert can_write(lock)


@needs_fork
@forks_with_threads
@pytest.mark.parametrize("attempt", range(5))
def test_fork_waits_for_the_writer(attempt):
    lock, state, stop = ReadWriteLock(), [0, 0], threading.Event()

    def write():
        while not stop.is_set():
            with lock.writing():
                state[0] += 1
                threading.Event().wait(0.001)
                state[1] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            assert in_child(lambda: state[0] == state[1] and can_write(lock))
    finally:
        stop.set()
        writer.join()
