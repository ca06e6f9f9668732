"""Random choices that depend on who a row is, never on where it stands.

Every random choice about a row is a pure function of ``(seed, purpose, id)``: removing other rows
cannot change it. The functions here are that pure function; no generator is ever drawn from twice.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skunlearn._samples.ids import Kind

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def mix64(values: np.ndarray) -> np.ndarray:
    """Spread the bits of 64-bit values (the finalizer of SplitMix64, a bijection).

    Parameters
    ----------
    values : ndarray of dtype uint64

    Returns
    -------
    mixed : ndarray of dtype uint64
        Same shape as `values`.

    References
    ----------
    Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014, section 4.
    """
    with np.errstate(over="ignore"):
        z = values + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return z ^ (z >> np.uint64(31))


def canonical_bytes(key: Any) -> bytes:
    """Encode a canonical id of :mod:`skunlearn._samples.ids`; equal ids give equal bytes."""
    if isinstance(key, int):
        return b"i%d" % key
    if isinstance(key, str):
        return b"s" + key.encode("utf-8", "surrogatepass")
    if isinstance(key, float):
        return b"f" + struct.pack("<d", key)
    if isinstance(key, bytes):
        return b"b" + key
    if isinstance(key, uuid.UUID):
        return b"u" + key.bytes
    if isinstance(key, Kind):
        return b"k" + key.value.encode()
    parts = [canonical_bytes(part) for part in key]
    return b"(" + b"".join(b"%d:%b" % (len(p), p) for p in parts) + b")"


def hash_ids(keys: np.ndarray | Sequence[Any]) -> np.ndarray:
    """Hash ids to 64 bits, the same in every process and on every machine.

    Parameters
    ----------
    keys : ndarray of an integer dtype, or sequence of canonical ids

    Returns
    -------
    hashes : ndarray of shape (n_ids,), dtype uint64
        Equal ids have equal hashes, whether they came in an array or in a list.
    """
    if isinstance(keys, np.ndarray) and keys.dtype.kind in "iu":
        if keys.dtype == np.uint64 and keys.size and keys.max() > np.iinfo(np.int64).max:
            return hash_ids(keys.tolist())
        return mix64(keys.astype(np.int64, copy=False).view(np.uint64))
    hashes = np.empty(len(keys), dtype=np.uint64)
    numbers: list[int] = []
    positions: list[int] = []
    for position, key in enumerate(keys):
        if isinstance(key, int) and -(1 << 63) <= key < 1 << 63:
            numbers.append(key)
            positions.append(position)
        else:
            digest = hashlib.blake2b(canonical_bytes(key), digest_size=8).digest()
            hashes[position] = int.from_bytes(digest, "little")
    if numbers:
        hashes[positions] = mix64(np.array(numbers, dtype=np.int64).view(np.uint64))
    return hashes


def derive_seed(seed: int, *purpose: int | str) -> int:
    """Derive the 64-bit seed of one purpose or model part from a model's seed.

    Parameters
    ----------
    seed : int
        The model's seed.

    *purpose : int or str
        What the derived seed is for, for example ``("shard", 3)``.

    Returns
    -------
    derived : int
        In ``[0, 2**64)``.
    """
    text = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def hash_rows_for(seed: int, purpose: str, id_hashes: np.ndarray) -> np.ndarray:
    """Draw one uniform 64-bit number per row from its id alone.

    Parameters
    ----------
    seed : int
        The model's seed.

    purpose : str
        What the numbers are for; numbers for different purposes are independent.

    id_hashes : ndarray of shape (n_samples,), dtype uint64
        From :func:`hash_ids`.

    Returns
    -------
    numbers : ndarray of shape (n_samples,), dtype uint64
    """
    key = np.uint64(derive_seed(seed, purpose))
    return mix64(mix64(id_hashes ^ key))


def draw_seed(random_state: Any) -> int:
    """Turn a `random_state` parameter into the one seed that a fitted model keeps.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An int is the seed itself; anything else is drawn from once.

    Returns
    -------
    seed : int
    """
    if isinstance(random_state, int | np.integer):
        return int(random_state) & _MASK
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def set_seeds(estimator: Any, seed: int, *purpose: int | str) -> None:
    """Set every random state in an estimator to a function of a seed and a purpose."""
    names = [
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    ]
    estimator.set_params(**{name: derive_seed(seed, *purpose, name) % 2**31 for name in names})
