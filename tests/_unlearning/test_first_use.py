"""When kernels are compiled, the logger hears of it in one line, and callbacks as of a subtask."""

import logging

import numpy as np
import pytest
from numba import njit
from sklearn.base import BaseEstimator

from skunlearn._unlearning.first_use import announcing_compilation
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import UnlearnerMixin
from skunlearn.ensemble import UnlearningForestClassifier
from skunlearn.ensemble._forest import change
from skunlearn.ensemble._forest.forest import Forest


def new_kernel(module="skunlearn._kernels.new"):
    def add(a, b):
        return a + b

    add.__module__ = module
    return njit(add)


class Adder(UnlearnerMixin, BaseEstimator):
    """An estimator whose fit calls a kernel."""

    _parameter_constraints = {}
    kernel = None

    @fit_task(prefer_skip_nested_validation=True, max_subtasks=1)
    def fit(self, X, y=None):
        with announcing_compilation(self):
            type(self).kernel(1, 2)
        return self


class Listener:
    """A callback that writes down what it hears."""

    def __init__(self):
        self.heard = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.heard.append(("end", context.task_name))


@pytest.fixture
def lines(caplog):
    """Return a function that returns what the logger heard."""
    caplog.set_level(logging.INFO, logger="skunlearn")
    return lambda: [record for record in caplog.records if record.name == "skunlearn"]


def test_first_call_is_told_in_one_line_and_the_second_is_not(lines):
    kernel = new_kernel()
    for _ in range(2):
        with announcing_compilation(Adder()):
            assert kernel(1, 2) == 3
            assert kernel(1.0, 2.0) == 3.0
    (line,) = lines()
    assert line.levelno == logging.INFO
    assert "Adder" in line.getMessage()
    assert "python -m skunlearn warm-up" in line.getMessage()


def test_kernels_of_others_are_not_told(lines):
    with announcing_compilation(Adder()):
        new_kernel("elsewhere")(1, 2)
    assert not lines()


def test_nothing_is_heard_afterwards(lines):
    with pytest.raises(ZeroDivisionError), announcing_compilation(Adder()):
        raise ZeroDivisionError
    new_kernel()(1, 2)
    assert not lines()


def test_callbacks_hear_of_a_subtask(monkeypatch):
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")
    monkeypatch.setattr(Adder, "kernel", staticmethod(new_kernel()))
    listener = Listener()
    model = Adder().set_callbacks(listener)
    model.fit(np.zeros((3, 1)))
    told = [("begin", "compile"), ("end", "compile")]
    assert listener.heard == [("begin", "fit"), *told, ("end", "fit")]
    listener.heard.clear()
    model.fit(np.zeros((3, 1)))
    assert listener.heard == [("begin", "fit"), ("end", "fit")]


def test_forests_tell_it_in_fit_and_unlearn(monkeypatch):
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")
    listener = Listener()
    model = UnlearningForestClassifier(3, random_state=0).set_callbacks(listener)

    def compiling(method):
        kernel = new_kernel()

        def compile_first(*args, **kwargs):
            kernel(1, 2)
            return method(*args, **kwargs)

        return compile_first

    monkeypatch.setattr(Forest, "grow", compiling(Forest.grow))
    monkeypatch.setattr(Forest, "plan", compiling(Forest.plan))
    monkeypatch.setattr(change, "_READY", set())
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(50, 2)), np.arange(50) % 2, sample_ids="row numbers")
    assert listener.heard[:2] == [("begin", "fit"), ("begin", "compile")]
    assert listener.heard[-2:] == [("end", "compile"), ("end", "fit")]
    listener.heard.clear()
    model.unlearn(3)
    assert listener.heard[:2] == [("begin", "unlearn"), ("begin", "compile")]
    assert listener.heard[-2:] == [("end", "compile"), ("end", "unlearn")]
