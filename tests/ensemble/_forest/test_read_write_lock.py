import contextlib
import threading

from skunlearn.ensemble._forest.read_write_lock import ReadWriteLock
from skunlearn.utils._checks.tracing import at_each_line, count_lines
from tests.test_locks import forks_with_threads, in_child, needs_fork


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
    """Tell whether another thread gets to write within half a second."""

    def write():
        with lock.writing:
            lock.wait_for_readers()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(0.5)
    return not thread.is_alive()


def test_readers_keep_writers_off_and_not_each_other():
    lock = ReadWriteLock()
    with Busy(lock.reading()), lock.reading(), lock.reading():
        assert len(lock.threads()) == 2
        assert not can_write(lock)
    assert can_write(lock)
    assert not lock.threads()


def test_the_writer_keeps_new_readers_off():
    lock, n_read = ReadWriteLock(), []

    def read():
        with lock.reading(), lock.reading():
            n_read.append(1)

    reader = threading.Thread(target=read)
    with lock.writing:
        reader.start()
        reader.join(0.05)
        assert not n_read
    reader.join()
    assert n_read


def test_a_reader_that_was_interrupted_anywhere_reads_no_more():
    def read(lock):
        with lock.reading():
            pass

    n_lines = count_lines(lambda: read(ReadWriteLock()))
    assert n_lines > 8
    for line in range(1, n_lines + 1):
        lock = ReadWriteLock()

        def strike(at, line=line):
            if at == line:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt), at_each_line(strike):
            read(lock)
        assert not lock.threads(), line
        assert can_write(lock), line


@needs_fork
@forks_with_threads
def test_readers_in_other_threads_are_not_in_the_child():
    lock = ReadWriteLock()
    with Busy(lock.reading()):
        assert in_child(lambda: can_write(lock))
    assert can_write(lock)


@needs_fork
@forks_with_threads
def test_writers_are_not_in_the_child():
    lock = ReadWriteLock()

    def check():
        with lock.reading():
            return len(lock.threads()) == 1

    with Busy(lock.writing):
        assert in_child(check)


@needs_fork
@forks_with_threads
def test_child_of_a_reader_goes_on_reading():
    lock = ReadWriteLock()
    with lock.reading():
        assert in_child(lambda: len(lock.threads()) == 1 and not can_write(lock))
    assert can_write(lock)
