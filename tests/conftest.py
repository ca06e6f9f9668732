"""Fixtures shared by all tests."""

from __future__ import annotations

import os

DEFAULT_SEEDS = "0 7 42"


def pytest_generate_tests(metafunc):
    """Run tests that ask for `global_random_seed` with each seed of SKUNLEARN_TEST_SEEDS."""
    if "global_random_seed" in metafunc.fixturenames:
        seeds = os.environ.get("SKUNLEARN_TEST_SEEDS", DEFAULT_SEEDS)
        metafunc.parametrize("global_random_seed", [int(seed) for seed in seeds.split()])
