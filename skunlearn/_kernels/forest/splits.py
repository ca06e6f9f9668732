"""Numba kernels: the sums that a node's split rests on, and the choice of the split."""

from typing import NamedTuple

import numpy as np
from numba import njit

from skunlearn._kernels.borrowed import borrowed
from skunlearn._kernels.forest.split_ratings import rate
from skunlearn._kernels.forest.tree_parts import (
    NUMBERS,
    TRIAL,
    count_in,
    interval_of,
    lattice_of,
    mix,
    order_threshold,
    position_in_order,
    threshold_at,
)

# The order of float32 infinity among all float32, see `ordered`.
_INFINITE = 0x7F800000


class Space(NamedTuple):
    """Where nodes of up to a number of rows are worked on.

    Parameters
    ----------
    order : ndarray of shape (n_features,), int32
        Features.
    values : ndarray of shape (n_rows,), float32
    positions, codes, spare : ndarray of shape (n_rows,), int32
    total : ndarray of shape (width,), int64
        Sums of a node.
    parts : ndarray of shape (2, width), int64
    trials : ndarray of shape (max_features,), TRIAL
    sums : ndarray of shape (max_features * (n_candidates + 2) * width,), int32 or int64
        For each trial and each interval between thresholds, and last for missing values.
    ratings : ndarray of shape (3, n_candidates), float64
        Of a trial's candidates: rows of two classes on the left, and merits.
    """

    order: np.ndarray
    values: np.ndarray
    positions: np.ndarray
    codes: np.ndarray
    spare: np.ndarray
    total: np.ndarray
    parts: np.ndarray
    trials: np.ndarray
    sums: np.ndarray
    ratings: np.ndarray


@njit(cache=True)
def space_for(n_rows, n_features, rules, like):
    """Allocate space for nodes of up to a number of rows and sums like others."""
    width = like.size
    order = np.empty(n_features, np.int32)
    for f in range(n_features):
        order[f] = f
    return Space(
        order,
        np.empty(n_rows, np.float32),
        np.empty(n_rows, np.int32),
        np.empty(n_rows, np.int32),
        np.empty(n_rows, np.int32),
        np.zeros(width, np.int64),
        np.zeros((2, width), np.int64),
        np.empty(rules.max_features, TRIAL),
        np.empty(rules.max_features * (rules.n_candidates + 2) * width, like.dtype),
        np.empty((3, rules.n_candidates)),
    )


@njit(cache=True, inline="always")
def position_of_feature(key, n_drawn, n_features):
    """Draw the hash from which a node's next feature comes, and its position among those left."""
    drawn = mix(key + np.uint64(n_drawn))
    left = np.uint64(n_features - n_drawn)
    return drawn, n_drawn + np.int64(((drawn >> np.uint64(32)) * left) >> np.uint64(32))


@njit(cache=True, inline="always")
def split_of(rules, is_categorical, trials, best):
    """Spell out a choice.

    Returns
    -------
    found : bool
    feature : int
        ``~feature`` if missing values go left.
    threshold : float32
    has_missing : bool
        Whether any row misses its value.
    """
    _, u, j, nan_left, _ = best
    found, feature, threshold, has_missing = u >= 0, -1, np.float32(np.inf), False
    if found:
        trial = trials[u]
        feature = ~trial.feature if nan_left else trial.feature
        has_missing = trial.n_missing > 0
        if j < rules.n_candidates:
            step, shift, first = lattice_of(trial.low, trial.high, trial.key, rules.n_candidates)
            threshold = threshold_at(step, shift, first + j)
            if is_categorical[trial.feature]:
                threshold = order_threshold(trial.key & NUMBERS, threshold)
    return found, feature, threshold, has_missing


@njit(cache=True, inline="always")
def ordered(bits):
    """Turn the bits of a float32 into an int32 of the same order, or back."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@njit(cache=True, inline="always")
def range_of(values, size):
    """Find the least and the largest value, and count those that are missing."""
    bits = values.view(np.int32)
    least, most, n_missing = np.int32(_INFINITE), np.int32(~_INFINITE), 0
    for i in range(size):
        position = ordered(bits[i])
        least, most = min(least, position), max(most, position)
    if most > _INFINITE or least < ~_INFINITE:
        least, most = np.int32(_INFINITE), np.int32(~_INFINITE)
        for i in range(size):
            position = ordered(bits[i])
            if ~_INFINITE <= position <= _INFINITE:
                least, most = min(least, position), max(most, position)
            else:
                n_missing += 1
    return (
        np.int32(ordered(least)).view(np.float32),
        np.int32(ordered(most)).view(np.float32),
        n_missing,
    )


@njit(cache=True, error_model="numpy")
def split_by_rows(table, rules, rows, size, key, space, keeps):
    """Choose the best split of a node; of equally good ones the first.

    Parameters
    ----------
    table : Table
    rules : Rules
    rows : ndarray of shape (>= size,), int32
        The node's rows.
    size : int
        How many they are.
    key : uint64
        The node's key.
    space : Space
        With the node's sums in `total`; trials and their sums are left in it.
    keeps : bool
        Whether all sums are wanted, even those of trials that can not be better.

    Returns
    -------
    found, feature, threshold, has_missing
        As in :func:`split_of`.
    """
    table, rows, space = borrowed(table), borrowed(rows), borrowed(space)
    labels, targets = table.labels, table.targets
    weights, scales = table.weights, table.scales
    order, values, positions, codes = space.order, space.values, space.positions, space.codes
    trials, sums = space.trials, space.sums
    n_features, width, n_grid = order.size, space.total.size, rules.n_candidates
    plain = labels.size > 0 and weights.size == 0
    stride = (n_grid + 2) * width
    n_used, n_drawn = 0, 0
    best = (-np.inf, -1, 0, False, False)
    if plain:
        for i in range(size):
            codes[i] = labels[np.uint32(rows[i])]
    while n_used < rules.max_features and n_drawn < n_features:
        drawn, position = position_of_feature(key, n_drawn, n_features)
        f = order[position]
        order[position] = order[n_drawn]
        order[n_drawn] = f
        n_drawn += 1
        column = table.values[f * table.column_step :]
        row_step = np.uint64(table.row_step)
        for i in range(size):
            values[i] = column[np.uint64(rows[i]) * row_step]
        if table.is_categorical[f]:
            number = drawn & NUMBERS
            for i in range(size):
                v, position = values[i], np.float32(position_in_order(values[i], number))
                values[i] = position if v == v else v
        low, high, n_missing = range_of(values, size)
        if n_missing == size or not (low < high or n_missing):
            continue
        at = n_used * stride
        end = at + (n_grid + 1) * width
        for k in range(stride):
            sums[np.uint64(at + k)] = 0
        per_step, shift, first = 0.0, 0.0, 0.0
        if low < high:
            step, shift, first = lattice_of(low, high, drawn, n_grid)
            per_step = 1.0 / step
        if plain:
            for i in range(size):
                v = values[i]
                interval = interval_of(v, per_step, shift, first)
                interval = interval if v == v else n_grid + 1
                positions[i] = interval * width + codes[i]
            for i in range(size):
                sums[np.uint64(at) + np.uint64(positions[i])] += 1
        else:
            for i in range(size):
                v, to = values[i], end
                if v == v:
                    to = at + interval_of(v, per_step, shift, first) * width
                count_in(sums, to, width, rows[i], labels, targets, weights, scales, 1)
        trials[n_used].key, trials[n_used].feature = drawn, f
        trials[n_used].low, trials[n_used].high = low, high
        trials[n_used].n_missing = n_missing
        if keeps:
            n_low, n_high = 0, 0
            for i in range(size):
                n_low += values[i] == low
                n_high += values[i] == high
            trials[n_used].n_low, trials[n_used].n_high = n_low, n_high
        if not best[4]:
            best = rate(table, rules, space, n_used, size, best)
        n_used += 1
        if best[4] and not keeps:
            break
    for u in range(n_used, rules.max_features):
        trials[u].feature = -1
    for i in range(n_drawn - 1, -1, -1):
        _, position = position_of_feature(key, i, n_features)
        f = order[position]
        order[position] = order[i]
        order[i] = f
    return split_of(rules, table.is_categorical, trials, best)


@njit(cache=True, error_model="numpy")
def split_by_sums(table, rules, size, space):
    """Choose a split by sums that were kept; see :func:`split_by_rows`."""
    table, space = borrowed(table), borrowed(space)
    best = (-np.inf, -1, 0, False, False)
    for u in range(rules.max_features):
        if space.trials[u].feature < 0 or best[4]:
            break
        best = rate(table, rules, space, u, size, best)
    return split_of(rules, table.is_categorical, space.trials, best)
