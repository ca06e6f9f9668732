"""What the kernels of trees are made of: rows, rules, hashes, thresholds, sums.

Nothing is drawn from a sequence: the order in which a node tries features and the thresholds that
it tries are hashes of the node's key, which is a hash of the path that leads to it. Sums are sums
of integers. So neither the order of rows matters nor what rows were once there.

References
----------
Geurts, Ernst, Wehenkel: Extremely randomized trees, Machine Learning 63, 2006 (random thresholds);
Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014 (the hash).
"""

from typing import NamedTuple

import numpy as np

from skunlearn._kernels.lean import formula, part, spelled_out

GINI, ENTROPY, SQUARED_ERROR = range(3)

# A feature that a node tries: -1 if there are no more that vary; from what its candidates are
# derived; the range of values that are not missing; how many rows are at its ends (known where sums
# are kept) and how many miss the value.
TRIAL = np.dtype(
    [
        ("key", np.uint64),
        ("feature", np.int32),
        ("low", np.float32),
        ("high", np.float32),
        ("n_low", np.int32),
        ("n_high", np.int32),
        ("n_missing", np.int32),
    ],
    align=True,
)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LEFT = np.uint64(0x14057B7EF767814F)
_RIGHT = np.uint64(0x5851F42D4C957F2D)
_ORDER = np.uint32(0x9E3779B1)
_EXPONENT = np.uint64(0x7FF0000000000000)
_FINE = 2.0**-20

# The threshold of a categorical split is the number of an order of categories and the last position
# in
# it that goes left. One bit of the number is never set, so that no threshold is infinite or NaN.
POSITIONS = np.uint32(20)
_NO_POSITION = np.uint32(12)
LAST_POSITION = np.uint32((1 << 20) - 1)
NUMBERS = np.uint64(0xBFF)


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
    values : ndarray of shape (n_slots * n_features,), float32
        A category is a float32 that stands for the hash of its value.
    row_step, column_step : int
        How far apart the values of a feature stand, and those of a row.
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

    values: np.ndarray
    row_step: int
    column_step: int
    is_categorical: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    class_weight: np.ndarray
    scales: np.ndarray


@formula
def mix(z):
    """Spread the bits of a 64-bit number (the finalizer of SplitMix64, a bijection)."""
    z = z + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@formula
def child_key(key, goes_left):
    """Return the key of a child from its parent's."""
    return mix(key ^ (_LEFT if goes_left else _RIGHT))


@spelled_out
def lattice_of(low, high, key, n_candidates):
    """Find the lattice of thresholds for a range.

    Its steps are powers of two and its position is hashed, so that it stays where it is as long as
    the range keeps its size, even if a row at the end of the range leaves.

    Parameters
    ----------
    low, high : float32
    key : uint64
    n_candidates : int
        Points in the range at most; there are at least half as many.

    Returns
    -------
    step, shift : float
        Point k is ``(k + shift) * step``. The shift is a multiple of 2**-21, so that float64 holds
        every point.
    first : float
        Number of the first point that is not below `low`.
    """
    share = (np.float64(high) - np.float64(low)) / n_candidates
    power = np.uint64(np.float64(share).view(np.uint64) & _EXPONENT)
    step = 2.0 * np.uint64(power).view(np.float64)
    shift = (np.float64(mix(key) >> np.uint64(44)) + 0.5) * _FINE
    return step, shift, np.ceil(np.float64(low) / step - shift)


@formula
def threshold_at(step, shift, k):
    """Return the largest float32 that is not above a point of a lattice."""
    point = (k + shift) * step
    nearest = np.float32(point)
    if np.float64(nearest) > point:
        return np.nextafter(nearest, np.float32(-np.inf))
    return nearest


@spelled_out
def interval_of(value, per_step, shift, first):
    """Count the points below a value; `per_step` is the inverse of the step."""
    return np.int64(np.ceil(np.float64(value) * per_step - shift) - first)


@spelled_out
def position_in_order(value, number):
    """Return the position of a category, not missing, in one of many orders.

    The bits of a category are a hash already; the highest bits of their product with an odd number
    make an order of their own.
    """
    factor = np.uint32(np.uint32(number) * _ORDER)
    factor = np.uint32(factor ^ (factor >> np.uint32(16)) | np.uint32(1))
    return np.uint32(np.uint32(np.float32(value).view(np.uint32) * factor) >> _NO_POSITION)


@formula
def order_threshold(number, threshold):
    """Spell out a threshold among the positions of an order."""
    last = np.uint32(min(np.floor(np.float64(threshold)), np.float64(LAST_POSITION)))
    return np.uint32((np.uint32(number) << POSITIONS) | last).view(np.float32)


@spelled_out
def goes_left(value, threshold, nan_left, is_categorical):
    """Tell to which side a split sends a value; all is worked out and chosen from, no branches."""
    code = np.float32(threshold).view(np.uint32)
    left = position_in_order(value, code >> POSITIONS) <= np.uint32(code & LAST_POSITION)
    left |= threshold == np.inf
    left = left if is_categorical else value <= threshold
    return left if value == value else nan_left


@spelled_out
def count_in(sums, at, width, row, labels, targets, weights, scales, sign):
    """Add a row to the sums that begin at a position, or with the opposite sign take it out.

    They are as many as `width` tells; the last is the number of rows, unless there are no weights:
    then what classes or the rows beside targets weigh says as much.
    """
    if labels.size and not weights.size:
        sums[at + labels[row]] += sign
    else:
        weight = np.int64(sign)
        if weights.size:
            weight *= np.int64(np.rint(weights[row] * scales[1]))
        if labels.size:
            sums[at + labels[row]] += weight
        else:
            n_outputs = targets.shape[1]
            for o in range(n_outputs):
                sums[at + o] += weight * np.int64(np.rint(targets[row, o] * scales[0]))
            sums[at + n_outputs] += weight
        if weights.size:
            sums[at + width - 1] += sign


@part
def add_rows(total, table, rows, start, stop, sign):
    """Add some of the rows to sums, or with the opposite sign take them out; see `count_in`."""
    for i in range(start, stop):
        count_in(
            total,
            np.int64(0),
            total.size,
            rows[i],
            table.labels,
            table.targets,
            table.weights,
            table.scales,
            sign,
        )
