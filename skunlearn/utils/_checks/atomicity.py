"""All or nothing: faults and readers let in between the lines of a request (section 4)."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import CodeType
from typing import Any
from unittest import mock

import numpy as np

from skunlearn._unlearning.commit import commit
from skunlearn.exceptions import UnknownSampleError
from skunlearn.utils._checks.data import assert_like_retrained, fitted, make_rows, some_ids
from skunlearn.utils._checks.tracing import at_each_line, count_lines
from skunlearn.utils._compare import outputs_of
from skunlearn.utils._difference import differ

N_FAULTS = 8
N_READS = 40
N_COPIES = 3

# How long another thread may take before the one that was stopped goes on, in seconds; one that
# must wait for it is the reason.
_PATIENCE = 0.05


class InjectedFault(MemoryError):
    """The error with which a check interrupts a request."""


class InjectedInterrupt(KeyboardInterrupt):
    """The signal with which a check interrupts a request."""


_FAULTS = (InjectedFault, InjectedInterrupt)


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
        self.outputs = outputs_of(self.model, self.X)

    def assert_rolled_back(self, run: Callable[[Any], None], circumstance: str) -> None:
        """Run a faulty request and check that it was carried out entirely or not at all."""
        trial = copy.deepcopy(self.model)
        try:
            run(trial)
        except _FAULTS:
            difference = self._from_before(trial)
            if difference is not None:
                raise AssertionError(
                    f"{self.name}: a request that failed ({circumstance}) was half applied: "
                    f"{difference}. An exception must leave the model exactly as it was."
                ) from None
            trial.unlearn(self.ids)
        self._assert_done(trial, circumstance)

    def assert_all_or_nothing(self, run: Callable[[Any], None], circumstance: str) -> None:
        """Run a faulty request, and check that afterwards the old or the new model is there."""
        trial = copy.deepcopy(self.model)
        try:
            run(trial)
        except _FAULTS:
            difference = self._from_before(trial)
            try:
                trial.unlearn(self.ids)
            except UnknownSampleError:
                difference = None  # is it the new model?
            if difference is not None:
                raise AssertionError(
                    f"{self.name}: a request that was interrupted ({circumstance}) was neither "
                    f"carried out nor was the model left as it was: {difference}."
                ) from None
        self._assert_done(trial, circumstance)

    def _from_before(self, trial: Any) -> Any:
        """Return a difference of a model from what it was before the request."""
        return differ(vars(trial), vars(self.model)) or differ(
            outputs_of(trial, self.X), self.outputs, rtol=1e-12
        )

    def _assert_done(self, trial: Any, circumstance: str) -> None:
        if trial.sample_ids_.tolist() != self.after.sample_ids_.tolist():
            raise AssertionError(
                f"{self.name}: `sample_ids_` is wrong when a request is repeated that failed "
                f"({circumstance})."
            )
        assert_like_retrained(
            self.name, trial, self.after, self.X, f"repeated after it failed: {circumstance}"
        )

    def faulty_at(
        self, line: int, within: CodeType, fault: type[BaseException]
    ) -> Callable[[Any], None]:
        """Return what runs the request, with a fault at one of the lines of some code."""

        def strike(at: int) -> None:
            if at == line:
                raise fault(f"at line event {line}")

        def run(model: Any) -> None:
            with at_each_line(strike, within):
                model.unlearn(self.ids)

        return run

    def some_lines(self, within: CodeType, n_faults: int) -> list[int]:
        """Choose among the lines that run in the request while some code does."""
        trial = copy.deepcopy(self.model)
        n_lines = count_lines(lambda: trial.unlearn(self.ids), within)
        return np.unique(np.linspace(1, n_lines, n_faults).astype(int)).tolist()


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

    request.assert_rolled_back(run, "MemoryError at the end of _unlearn")
    code = inspect.unwrap(hook).__code__
    for line in request.some_lines(code, N_FAULTS):
        request.assert_rolled_back(
            request.faulty_at(line, code, InjectedFault),
            f"MemoryError at line event {line} of _unlearn",
        )


def check_interrupted_commit_is_all_or_nothing(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that an interrupt while the new state is put in force leaves no mixture."""
    request = _Request(name, estimator, seed)
    code = inspect.unwrap(commit).__code__
    for number, line in enumerate(request.some_lines(code, N_FAULTS)):
        fault = _FAULTS[(number + seed) % 2]
        request.assert_all_or_nothing(
            request.faulty_at(line, code, fault),
            f"{fault.__name__} at line event {line} of the commit",
        )


def check_model_in_read_only_memory(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that a model whose arrays cannot be written to forgets, or says so and stays."""
    request = _Request(name, estimator, seed)
    buffers: list[pickle.PickleBuffer] = []
    state = pickle.dumps(request.model, protocol=5, buffer_callback=buffers.append)
    trial = pickle.loads(state, buffers=[bytes(buffer) for buffer in buffers])
    try:
        trial.unlearn(request.ids)
    except ValueError as refusal:
        difference = request._from_before(trial)
        if difference is not None:
            raise AssertionError(
                f"{name}: a model in read-only memory refused a request ({refusal}) and changed "
                f"all the same: {difference}."
            ) from None
        return
    request._assert_done(trial, "not at all, but its arrays were read-only")


def check_readers_see_one_version(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that other threads see the outputs of the old or the new model at every moment."""
    request = _Request(name, estimator, seed)
    versions = [request.outputs, outputs_of(request.after, request.X)]
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


def check_copies_are_of_one_version(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that a pickle made while another thread unlearns is of the old or the new model."""
    request = _Request(name, estimator, seed)
    held = [m.sample_ids_.tolist() for m in (request.model, request.after)]
    versions = [request.outputs, outputs_of(request.after, request.X)]
    trial = copy.deepcopy(request.model)
    n_lines = count_lines(lambda: pickle.dumps(trial))
    with ThreadPoolExecutor(1) as pool:
        for stop in np.unique(np.linspace(1, n_lines, N_COPIES).astype(int)).tolist():
            trial = copy.deepcopy(request.model)
            requests: list[Future] = []

            def unlearn(
                at: int, stop: int = stop, trial: Any = trial, requests: list[Future] = requests
            ) -> None:
                if at == stop:
                    requests.append(pool.submit(trial.unlearn, request.ids))
                    wait(requests, timeout=_PATIENCE)

            with at_each_line(unlearn):
                state = pickle.dumps(trial)
            wait(requests)
            twin = pickle.loads(state)
            ids, outputs = twin.sample_ids_.tolist(), outputs_of(twin, request.X)
            if ids not in held or differ(outputs, versions[held.index(ids)], rtol=1e-9):
                raise AssertionError(
                    f"{name}: a pickle made while unlearn ran in another thread is a mixture of "
                    "the old and the new model."
                )


def atomicity_checks(estimator: Any) -> list[Any]:
    """Return the checks of this section that apply to the estimator."""
    return [
        check_fault_in_request_rolls_back,
        check_interrupted_commit_is_all_or_nothing,
        check_model_in_read_only_memory,
        check_readers_see_one_version,
        check_copies_are_of_one_version,
    ]
