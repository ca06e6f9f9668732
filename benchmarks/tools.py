"""Sizes and stopwatch of the benchmarks."""

import os
from time import perf_counter

_SCALE = float(os.environ.get("SKUNLEARN_BENCH_SCALE", "1"))


def scaled(n):
    """Scale a number of rows by SKUNLEARN_BENCH_SCALE."""
    return max(1000, int(n * _SCALE))


def seconds(call):
    """Return how long a call takes."""
    started = perf_counter()
    call()
    return perf_counter() - started
