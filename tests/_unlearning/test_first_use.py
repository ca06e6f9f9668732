import logging

import pytest
from numba import njit
from sklearn.base import BaseEstimator

from skunlearn._unlearning.first_use import announcing_compilation
from skunlearn.base import UnlearnerMixin


def new_kernel(module="skunlearn._kernels.new"):
    def add(a, b):
        return a + b

    add.__module__ = module
    return njit(add)


class Counter(UnlearnerMixin, BaseEstimator):
    """An estimator whose fit calls a kernel some times."""

    kernel = None

    def fit(self, X, y=None):
        return self


def lines(caplog):
    return [record for record in caplog.records if record.name == "skunlearn"]


def test_first_call_is_told_in_one_line_and_the_second_is_not(caplog):
    kernel = new_kernel()
    caplog.set_level(logging.INFO, logger="skunlearn")
    for _ in range(2):
        with announcing_compilation(Counter()):
            assert kernel(1, 2) == 3
            assert kernel(1.0, 2.0) == 3.0
    (line,) = lines(caplog)
    assert line.levelno == logging.INFO
    assert "Counter" in line.getMessage()
    assert "warm-up" in line.getMessage()


def test_kernels_of_others_are_not_told(caplog):
    kernel = new_kernel("elsewhere")
    caplog.set_level(logging.INFO, logger="skunlearn")
    with announcing_compilation(Counter()):
        kernel(1, 2)
    assert not lines(caplog)


def test_nothing_is_heard_afterwards(caplog):
    caplog.set_level(logging.INFO, logger="skunlearn")
    with announcing_compilation(Counter()):
        pass
    with pytest.raises(ZeroDivisionError), announcing_compilation(Counter()):
        raise ZeroDivisionError
    new_kernel()(1, 2)
    assert not lines(caplog)
