"""Subsamples of rows that do not depend on where rows stand or how many there are."""

from __future__ import annotations

import numpy as np

from skunlearn._samples.hashing import hash_rows_for
from skunlearn._samples.store import SampleStore

# Above every hash: no row is outside of the subsample.
NONE_OUTSIDE = (1 << 64) - 1


def subsample(
    samples: SampleStore, slots: np.ndarray, size: int | None, seed: int
) -> tuple[np.ndarray, int]:
    """Choose the rows whose ids have the smallest hashes.

    Rows of one id have one hash; of those, earlier ones come first.

    Parameters
    ----------
    samples : SampleStore
    slots : ndarray of shape (n_samples,), dtype intp
        Rows to choose from, sorted.
    size : int or None
        How many rows to choose; None for all.
    seed : int

    Returns
    -------
    chosen : ndarray of dtype intp
        Sorted.
    largest : int
        The largest hash among them: a removal of rows with larger ones leaves the subsample alone.
        `NONE_OUTSIDE` where all rows are chosen.
    """
    if size is None or slots.size <= size:
        return slots, NONE_OUTSIDE
    hashes = _hashes(samples, slots, seed)
    largest = np.partition(hashes, size - 1)[size - 1]
    chosen = hashes < largest
    ties = np.flatnonzero(hashes == largest)
    chosen[ties[: size - np.count_nonzero(chosen)]] = True
    return slots[chosen], int(largest)


def touches(samples: SampleStore, rows: np.ndarray, seed: int, largest: int) -> bool:
    """Tell whether a removal may change a subsample, given its largest hash."""
    if largest == NONE_OUTSIDE:
        return True
    return bool((_hashes(samples, rows, seed) <= np.uint64(largest)).any())


def _hashes(samples: SampleStore, slots: np.ndarray, seed: int) -> np.ndarray:
    return hash_rows_for(seed, "subsample", samples.id_hashes()[slots])
