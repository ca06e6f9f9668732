"""What all tests share: seeds, and how many examples hypothesis draws."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import settings

# Tests hold for any seed; one is enough to find most faults.
SEED, MORE_SEEDS = 42, (0, 7)

settings.register_profile("short", max_examples=10, deadline=None)
settings.register_profile("long", max_examples=60, deadline=None)
settings.load_profile("short")


def pytest_generate_tests(metafunc):
    """Run tests that ask for `global_random_seed` with each seed of SKUNLEARN_TEST_SEEDS."""
    if "global_random_seed" in metafunc.fixturenames:
        chosen = os.environ.get("SKUNLEARN_TEST_SEEDS", "").split()
        more = [pytest.param(seed, marks=pytest.mark.long) for seed in MORE_SEEDS]
        seeds = [int(seed) for seed in chosen] or [SEED, *more]
        metafunc.parametrize("global_random_seed", seeds)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Keep the garbage collector from walking through thousands of tests, now and later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


# Contract checks that draw hundreds of models; the guarantees have tests of their own besides.
LONG_CHECKS = ("check_certified_releases",)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark contract checks that take long, before marks are selected by."""
    for item in items:
        if any(check in item.name for check in LONG_CHECKS):
            item.add_marker(pytest.mark.long)
