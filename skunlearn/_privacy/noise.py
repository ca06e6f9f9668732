"""Integer noise that nobody without the key can tell from random, with exact tails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from scipy import special

# The noise is this much wider than asked for, which covers probabilities rounded to 64 bits.
_SLACK = 1e-6


def secret_geometric(key: bytes, purpose: bytes, size: int, epsilon: float) -> np.ndarray:
    """Draw two-sided geometric numbers: z has probability proportional to ``exp(-epsilon |z|)``.

    Added to an integer that one row changes by one at most, they make it epsilon-differentially
    private. There is no largest number and no float among them, whose last bits could tell.

    Parameters
    ----------
    key : bytes
        Of a fixed length.

    purpose : bytes
        What the numbers are for; those for different purposes are independent.

    size : int
        How many.

    epsilon : float
        Positive: what is told apart by the ratio of neighbouring probabilities.

    Returns
    -------
    numbers : ndarray of shape (size,), dtype int64

    Notes
    -----
    The difference of two geometric numbers. Each is ``low + 2**b high``: the b binary digits of
    `low` are independent, the one worth v is set with probability ``1 / (1 + exp(epsilon v))``,
    which is never small, and `high` counts successes of probability ``exp(-epsilon 2**b)`` before
    the first failure. Probabilities are rounded up to multiples of 2**-64.

    References
    ----------
    Ghosh, Roughgarden, Sundararajan: Universally utility-maximizing privacy mechanisms, SIAM
    Journal on Computing 41, 2012; Canonne, Kamath, Steinke: The discrete Gaussian for differential
    privacy, NeurIPS 2020, section 5.
    """
    rate = epsilon * (1.0 - _SLACK)
    n_digits = max(0, int(np.ceil(-np.log2(rate))))
    words = _words(key + purpose, 2 * size)
    numbers = np.zeros(2 * size, dtype=np.int64)
    for digit in range(n_digits):
        is_set = _below(next(words), 1.0 / (1.0 + np.exp(rate * 2.0**digit)))
        numbers += is_set.astype(np.int64) << digit
    going = np.ones(2 * size, dtype=bool)
    while going.any():
        going &= _below(next(words), np.exp(-rate * 2.0**n_digits))
        numbers += going.astype(np.int64) << n_digits
    return numbers[:size] - numbers[size:]


def _words(seed: bytes, size: int) -> Iterator[np.ndarray]:
    """Yield rounds of random 64-bit words without end."""
    number = 0
    while True:
        block = hashlib.shake_256(seed + number.to_bytes(8, "little")).digest(8 * size)
        yield np.frombuffer(block, dtype="<u8")
        number += 1


def _below(words: np.ndarray, chance: float) -> np.ndarray:
    """Return ones with a probability that is rounded up to a multiple of 2**-64."""
    limit = max(1, int(np.ceil(chance * 2.0**64)))
    return words < np.uint64(limit)


def digest(*parts: bytes) -> bytes:
    """Hash byte strings to 32 bytes."""
    framed = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hashlib.blake2b(framed, digest_size=32).digest()


def secret_normal(key: bytes, purpose: bytes, size: int) -> np.ndarray:
    """Draw standard normal numbers that nobody without the key can tell from random ones.

    Parameters
    ----------
    key : bytes
        Of a fixed length.

    purpose : bytes
        What the numbers are for; those for different purposes are independent.

    size : int
        How many.

    Returns
    -------
    numbers : ndarray of shape (size,)
    """
    words = np.frombuffer(hashlib.shake_256(key + purpose).digest(8 * size), dtype="<u8")
    return special.ndtri(((words >> np.uint64(12)) + 0.5) * 2.0**-52)
