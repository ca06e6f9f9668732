"""What the kernels of trees are made of: rows, rules, hashes, thresholds, sums.

Nothing is drawn from a sequence: the order in which a node tries features and the thresholds that
it tries are hashes of the node's key, which is a hash of the path that leads to it. Sums are sums
of integers. So neither the order of rows matters nor what rows were once there.

References
----------
Geurts, Ernst, Wehenkel: Extremely randomized trees, Machine Learning 63, 2006 (random thresholds);
Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014 (the hash).
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

GINI, ENTROPY, SQUARED_ERROR = range(3)

# A feature that a node tries: -1 if there are no more that vary; from what its candidates are
# derived; the range of values that are not missing, and the number of rows at its ends.
TRIAL = np.dtype(
    [
        ("key", np.uint64),
        ("feature", np.int32),
        ("low", np.float32),
        ("high", np.float32),
        ("n_low", np.int32),
        ("n_high", np.int32),
    ],
    align=True,
)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LEFT = np.uint64(0x14057B7EF767814F)
_RIGHT = np.uint64(0x5851F42D4C957F2D)
_UNIT = 2.0**-53

# A categorical split is the number of a hash function and which of its bits says left.
BITS = 6
NUMBERS = np.uint64((1 << 24) - 1)


class Rules(NamedTuple):
    """How trees grow; the names are those of the estimators' parameters."""

    criterion: int
    max_features: int
    n_candidates: int
    max_depth: int
    min_samples_split: int
    min_samples_leaf: int


class Table(NamedTuple):
    """The rows.

    Parameters
    ----------
    columns : ndarray of shape (n_features, n_slots), float32
        A category is a float32 that stands for the hash of its value.
    is_categorical : ndarray of shape (n_features,), bool
    labels : ndarray of shape (n_slots,), int32
        Class codes; of size 0 for regression.
    targets : ndarray of shape (n_slots, n_outputs), float64
        Of size 0 for classification.
    weights : ndarray of shape (n_slots,), float64
        Of size 0 if all are one.
    class_weight : ndarray of shape (n_classes,), float64
        Of size 0 for regression.
    scales : ndarray of shape (2,), float64
        Powers of two that turn targets and weights into the integers that are summed.
    """

    columns: np.ndarray
    is_categorical: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    class_weight: np.ndarray
    scales: np.ndarray


class Space(NamedTuple):
    """Working space for nodes of up to a number of rows."""

    order: np.ndarray
    values: np.ndarray
    places: np.ndarray
    grid: np.ndarray


@njit(cache=True)
def mix(z):
    """Spread the bits of a 64-bit number (the finalizer of SplitMix64, a bijection)."""
    z = z + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def child_key(key, goes_left):
    """Return the key of a child from its parent's."""
    return mix(key ^ (_LEFT if goes_left else _RIGHT))


@njit(cache=True)
def space_for(n_rows, n_features, n_candidates):
    """Allocate working space."""
    return Space(
        np.arange(n_features).astype(np.int32),
        np.empty(n_rows, np.float32),
        np.empty(n_rows, np.int32),
        np.empty(n_candidates, np.float32),
    )


@njit(cache=True)
def grid_of(low, high, key, n_candidates):
    """Find the grid of thresholds for a range.

    Its steps are powers of two and its position is hashed, so that it stays where it is as long as
    the range keeps its size, even if a row at the end of the range leaves.

    Parameters
    ----------
    low, high : float32
    key : uint64
    n_candidates : int
        Thresholds at most; at least half as many fall into the range.

    Returns
    -------
    step, origin : float
        Threshold j is ``(origin + j) * step``, rounded to float32.
    """
    shift = np.float64(mix(key) >> np.uint64(11)) * _UNIT
    share = (np.float64(high) - np.float64(low)) / n_candidates
    step = math.ldexp(1.0, math.frexp(share)[1])
    origin = np.ceil(np.float64(low) / step - shift) + shift
    while threshold_at(step, origin, 0) < low:
        origin += 1.0
    while threshold_at(step, origin, -1) >= low:
        origin -= 1.0
    return step, origin


@njit(cache=True)
def threshold_at(step, origin, j):
    """Return a threshold of a grid, float32."""
    return np.float32((origin + j) * step)


@njit(cache=True)
def interval_of(value, per_step, origin, grid):
    """Count the thresholds below a value; `per_step` is the inverse of the step."""
    place = int(np.float64(value) * per_step - origin + 1.0)
    place = min(max(place, 0), grid.size)
    while place > 0 and value <= grid[place - 1]:
        place -= 1
    while place < grid.size and value > grid[place]:
        place += 1
    return place


@njit(cache=True)
def category_bits(value, number):
    """Hash a category: 64 coin flips, one for each candidate."""
    return mix(np.uint64(np.float32(value).view(np.uint32)) ^ (np.uint64(number) << np.uint64(32)))


@njit(cache=True)
def goes_left(value, threshold, nan_left, is_categorical):
    """Tell to which side a split sends a value."""
    if value != value:
        return nan_left
    if threshold == np.inf:
        return True
    if is_categorical:
        code = np.float32(threshold).view(np.uint32)
        bit = np.uint64(code & np.uint32((1 << BITS) - 1))
        bits = np.uint64(category_bits(value, code >> np.uint32(BITS)))
        return (bits >> bit) & np.uint64(1) != 0
    return value <= threshold


@njit(cache=True, inline="always")
def count_in(sums, row, labels, targets, weights, scales, sign):
    """Add a row to sums, or with the opposite sign take it out."""
    weight = sign
    if weights.size:
        weight *= np.int64(np.rint(weights[row] * scales[1]))
    if labels.size:
        sums[labels[row]] += weight
    else:
        n_outputs = targets.shape[1]
        for o in range(n_outputs):
            sums[o] += weight * np.int64(np.rint(targets[row, o] * scales[0]))
        sums[n_outputs] += weight
    sums[sums.size - 1] += sign
