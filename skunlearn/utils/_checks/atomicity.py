"""All or nothing: faults injected into a request, readers let in between its lines (section 4)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any
from unittest import mock

import numpy as np

from skunlearn.utils._checks.data import assert_like_retrained, fitted, make_rows, some_ids
from skunlearn.utils._checks.tracing import at_each_line, count_lines
from skunlearn.utils._compare import outputs_of
from skunlearn.utils._difference import differ

N_FAULTS = 12
N_READS = 60

# How long a reader may take before the request goes on, in seconds; readers that must wait for the
# request to finish are the reason for it.
_PATIENCE = 0.05


class InjectedFault(MemoryError):
    """The error with which a check interrupts a request."""


class _Request:
    """A model about to forget some rows, and what must become of it."""

    def __init__(self, name: str, estimator: Any, seed: int) -> None:
        self.name = name
        rows = make_rows(estimator, seed)
        ids = some_ids(rows, np.random.default_rng(seed), 20)
        self.X = rows.X
        self.ids = ids[2:]
        self.model = fitted(estimator, rows).unlearn(ids[:2])
        self.after = copy.deepcopy(self.model).unlearn(self.ids)
        self.code = inspect.unwrap(type(self.model)._unlearn).__code__

    def assert_atomic(self, run: Callable[[Any], None], circumstance: str) -> None:
        """Run a faulty request and check that it was carried out entirely or not at all."""
        trial = copy.deepcopy(self.model)
        outputs = outputs_of(trial, self.X)
        try:
            run(trial)
        except InjectedFault:
            difference = differ(vars(trial), vars(self.model)) or differ(
                outputs_of(trial, self.X), outputs, rtol=1e-12
            )
            if difference is not None:
                raise AssertionError(
                    f"{self.name}: a request that failed ({circumstance}) was half applied: "
                    f"{difference}. An exception must leave the model exactly as it was."
                ) from None
            trial.unlearn(self.ids)
        self._assert_done(trial, circumstance)

    def _assert_done(self, trial: Any, circumstance: str) -> None:
        if trial.sample_ids_.tolist() != self.after.sample_ids_.tolist():
            raise AssertionError(
                f"{self.name}: `sample_ids_` is wrong when a request is repeated that failed "
                f"({circumstance})."
            )
        assert_like_retrained(
            self.name, trial, self.after, self.X, f"repeated after it failed: {circumstance}"
        )


def check_fault_in_request_rolls_back(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that an error inside the hook, early or late, leaves the model as it was."""
    request = _Request(name, estimator, seed)
    hook = type(request.model)._unlearn

    def fail_at_the_end(model: Any, rows: np.ndarray) -> None:
        hook(model, rows)
        raise InjectedFault("at the end of _unlearn")

    def run(model: Any) -> None:
        with mock.patch.object(type(model), "_unlearn", fail_at_the_end):
            model.unlearn(request.ids)

    request.assert_atomic(run, "MemoryError at the end of _unlearn")
    trial = copy.deepcopy(request.model)
    n_lines = count_lines(lambda: trial.unlearn(request.ids), request.code)
    for line in np.unique(np.linspace(1, n_lines, N_FAULTS).astype(int)).tolist():

        def fault(at: int, line: int = line) -> None:
            if at == line:
                raise InjectedFault(f"at line event {line}")

        def faulty(model: Any, fault: Callable[[int], None] = fault) -> None:
            with at_each_line(fault, request.code):
                model.unlearn(request.ids)

        request.assert_atomic(faulty, f"MemoryError at line event {line} of {n_lines} of _unlearn")


def check_readers_see_one_version(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that other threads see the outputs of the old or the new model at every moment."""
    request = _Request(name, estimator, seed)
    versions = [outputs_of(request.model, request.X), outputs_of(request.after, request.X)]
    trial = copy.deepcopy(request.model)
    n_lines = count_lines(lambda: copy.deepcopy(trial).unlearn(request.ids))
    stops = set(np.linspace(1, n_lines, N_READS).astype(int).tolist())
    reads: list[Future] = []
    with ThreadPoolExecutor(1) as pool:

        def read(at: int) -> None:
            if at in stops and (not reads or reads[-1].done()):
                reads.append(pool.submit(outputs_of, trial, request.X))
                wait(reads[-1:], timeout=_PATIENCE)

        with at_each_line(read):
            trial.unlearn(request.ids)
    for future in reads:
        for method, output in future.result().items():
            if all(differ(output, version[method], rtol=1e-9) for version in versions):
                raise AssertionError(
                    f"{name}: while unlearn ran, `{method}` in another thread saw a mixture of "
                    "the old and the new model."
                )


def atomicity_checks(estimator: Any) -> list[Any]:
    """Return the checks of this section that apply to the estimator."""
    return [check_fault_in_request_rolls_back, check_readers_see_one_version]
