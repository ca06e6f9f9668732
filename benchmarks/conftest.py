"""One BLAS thread, refits interleaved with requests, a table of ratios at the end."""

import statistics

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks.tools import seconds

_ROWS = []
_NOTES = []


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture
def race(benchmark):
    """Time requests and refits in turn and note the ratio of their medians.

    ``race(task, model, requests, refit, mark, gap)``: each of `requests` is unlearned from `model`;
    `refit()` is what a user would do otherwise; `gap()` is the relative difference in the end.
    Where few requests cost much and most cost little, ``amortised=True`` takes the mean of them.
    """

    def run(task, model, requests, refit, *, mark, gap, refits=9, amortised=False):
        requests = list(requests)
        model.unlearn(requests.pop())
        refit()
        every = max(1, len(requests) // refits)
        pending = iter(requests)
        namesake = []

        def next_request():
            if len(namesake) * every <= len(requests) - pending.__length_hint__():
                namesake.append(seconds(refit))
            return (next(pending),), {}

        benchmark.pedantic(model.unlearn, setup=next_request, rounds=len(requests))
        ours = benchmark.stats.stats.mean if amortised else benchmark.stats.stats.median
        benchmark.extra_info["ratio"] = statistics.median(namesake) / ours
        _ROWS.append((task, ours, statistics.median(namesake), mark, gap()))

    return run


@pytest.fixture
def note():
    """Return what keeps a line for the end."""
    return _NOTES.append


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    write = terminalreporter.write_line
    for line in _NOTES:
        write(line)
    if not _ROWS:
        return
    write("")
    write(f"{'task':<44} {'unlearn':>10} {'refit':>10} {'ratio':>8} {'mark':>6} {'rel. diff':>10}")
    for task, ours, namesake, mark, gap in _ROWS:
        write(
            f"{task:<44} {ours * 1e3:>7.3f} ms {namesake * 1e3:>7.1f} ms "
            f"{namesake / ours:>7.0f}x {mark:>5}x {gap:>10.1e}"
        )


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)
