"""Random choices that are functions of ids."""

from __future__ import annotations

import subprocess
import sys
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skunlearn._samples.hashing import (
    canonical_bytes,
    derive_seed,
    draw_seed,
    hash_ids,
    hash_rows_for,
    mix64,
)
from skunlearn._samples.ids import as_keys

pytestmark = pytest.mark.fast

KEYS = st.recursive(
    st.one_of(
        st.integers(),
        st.text(),
        st.binary(),
        st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer()),
        st.uuids(),
    ),
    lambda parts: st.lists(parts, max_size=3).map(tuple),
    max_leaves=5,
)


def test_mix64_is_splitmix64():
    # First outputs of the reference SplitMix64 generator started from 0.
    golden = 0x9E3779B97F4A7C15
    states = np.array([(golden * i) % 2**64 for i in range(3)], dtype=np.uint64)
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert mix64(states).tolist() == expected


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=50))
def test_mix64_is_injective_and_does_not_write(values):
    states = np.array(values, dtype=np.uint64)
    assert np.unique(mix64(states)).size == len(values)
    assert states.tolist() == values


@given(KEYS, KEYS)
def test_canonical_bytes_tell_ids_apart(a, b):
    assert (canonical_bytes(a) == canonical_bytes(b)) == (a == b)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_arrays_and_lists_of_integers_hash_alike(numbers):
    array = np.array(numbers, dtype=np.int64)
    np.testing.assert_array_equal(hash_ids(array), hash_ids(numbers))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_unsigned_integers_hash_by_value(numbers):
    array = np.array(numbers, dtype=np.uint64)
    np.testing.assert_array_equal(hash_ids(array), hash_ids(numbers))


@given(st.lists(KEYS, max_size=10))
def test_an_id_hashes_the_same_among_others_and_alone(keys):
    together = hash_ids(keys)
    assert together.dtype == np.uint64
    assert together.tolist() == [int(hash_ids([key])[0]) for key in keys]


def test_small_and_narrow_integers_hash_by_value():
    for dtype in (np.int8, np.int16, np.uint8, np.uint32):
        ids = np.array([0, 1, 100], dtype=dtype)
        np.testing.assert_array_equal(hash_ids(ids), hash_ids([0, 1, 100]))


def test_ids_hash_the_same_in_every_process():
    code = (
        "from skunlearn._samples.hashing import *; import uuid;"
        "from skunlearn._samples.ids import as_keys;"
        "print(hash_ids(as_keys([1, 'a', 0.5, b'x', ('a', 1), uuid.UUID(int=3)])).tolist(),"
        "derive_seed(3, 'shard', 1))"
    )
    keys = as_keys([1, "a", 0.5, b"x", ("a", 1), uuid.UUID(int=3)])
    expected = f"{hash_ids(keys).tolist()} {derive_seed(3, 'shard', 1)}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == expected


def test_derived_seeds_differ_by_seed_and_purpose():
    purposes = [(), ("shard",), ("shard", 0), ("shard", 1), ("shard", "1"), ("slice", 1), (1, 1)]
    seeds = [derive_seed(seed, *purpose) for seed in (0, 1) for purpose in purposes]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert derive_seed(5, "shard", 2) == derive_seed(5, "shard", 2)


def test_rows_draw_by_id_and_not_by_position(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    hashes = hash_ids(rng.permutation(1000))
    drawn = hash_rows_for(7, "shard", hashes)
    order = rng.permutation(1000)[:300]
    np.testing.assert_array_equal(hash_rows_for(7, "shard", hashes[order]), drawn[order])
    assert not np.array_equal(hash_rows_for(7, "slice", hashes), drawn)
    assert not np.array_equal(hash_rows_for(8, "shard", hashes), drawn)


def test_rows_draw_uniformly_and_independently():
    hashes = hash_ids(np.arange(64_000))
    first = hash_rows_for(0, "a", hashes) % np.uint64(16)
    second = hash_rows_for(0, "b", hashes) % np.uint64(16)
    cells = np.bincount((first * np.uint64(16) + second).astype(int), minlength=256)
    # 250 expected in each cell; seven standard deviations.
    assert abs(cells - 250).max() < 7 * np.sqrt(250)


def test_draw_seed_keeps_integers_and_draws_from_the_rest():
    assert draw_seed(5) == draw_seed(np.int64(5)) == 5
    first, second = (draw_seed(np.random.RandomState(3)) for _ in range(2))
    assert first == second
    generator = np.random.RandomState(3)
    assert draw_seed(generator) != draw_seed(generator)
    assert isinstance(draw_seed(None), int)
