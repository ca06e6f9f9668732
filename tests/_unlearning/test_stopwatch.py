"""Times are of work, not of compiling, and say nothing about rows."""

import copy
import pickle
import time

import numba
import pytest

from skunlearn._unlearning.stopwatch import Seconds, Stopwatch
from skunlearn.utils._difference import differ, stored_apart

pytestmark = pytest.mark.fast


def test_compiling_does_not_count():
    @numba.njit
    def kernel(x):
        total = 0.0
        for i in range(10):
            total += x * i
        return total

    started = time.perf_counter()
    with Stopwatch() as watch:
        kernel(2.0)
    elapsed = time.perf_counter() - started
    assert 0.0 <= watch.seconds < 0.5 * elapsed


def test_waiting_counts():
    with Stopwatch() as watch:
        time.sleep(0.02)
    assert watch.seconds >= 0.019


def test_two_times_do_not_differ():
    ours, theirs = {"a": Seconds(1.0)}, {"a": Seconds(2.0)}
    assert differ(ours, theirs) is None
    assert stored_apart(ours, theirs) is None
    assert differ({"a": 1.0}, {"a": 2.0}) is not None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_time_stays_one_in_copies(copied):
    again = copied(Seconds(0.5))
    assert type(again) is Seconds
    assert again == 0.5
