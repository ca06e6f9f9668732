"""Numba kernels: the sums that a node's split rests on, and the choice of the split."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from skunlearn._kernels.forest.split_ratings import rate
from skunlearn._kernels.forest.tree_parts import (
    GINI,
    NUMBERS,
    SQUARED_ERROR,
    TRIAL,
    Rules,
    count_in,
    interval_of,
    lattice_of,
    mix,
    order_threshold,
    position_in_order,
    threshold_at,
)
from skunlearn._kernels.lean import part, spelled_out

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
    lefts : ndarray of shape (2, n_candidates), int64
        Sums of what is on the left of a trial's candidates.
    merits : ndarray of shape (n_candidates,), float64
    amounts : ndarray of shape (n_rows,) or (0,), int64
        Targets as they are summed; not for classes.
    none : ndarray of shape (0,), bool
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
    lefts: np.ndarray
    merits: np.ndarray
    amounts: np.ndarray
    none: np.ndarray


def space_for(n_rows: int, n_features: int, rules: Rules, like: np.ndarray) -> Space:
    """Allocate space for nodes of up to a number of rows and sums like others."""
    return Space(*empty_arrays(*_space(n_rows, n_features, rules, like.size, like.dtype)))


def empty_arrays(shapes: Iterable[Any], kinds: Iterable[Any]) -> list[np.ndarray]:
    """Allocate arrays of some shapes and types."""
    return [np.empty(shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]


@lru_cache
def _space(
    n_rows: int, n_features: int, rules: Rules, width: int, kind: Any
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the shapes of what space consists of, and its types."""
    n_grid = rules.n_candidates
    parts: list[tuple[Any, Any]] = [
        (n_features, np.int32),
        (n_rows, np.float32),
        (n_rows, np.int32),
        (n_rows, np.int32),
        (n_rows, np.int32),
        (width, np.int64),
        ((2, width), np.int64),
        (rules.max_features, TRIAL),
        (rules.max_features * (n_grid + 2) * width, kind),
        ((2, n_grid), np.int64),
        (n_grid, np.float64),
        (n_rows if rules.criterion == SQUARED_ERROR else 0, np.int64),
        (0, np.bool_),
    ]
    shapes, kinds = zip(*parts, strict=True)
    return shapes, kinds


@part
def put_in_order(space):
    """List features in their own order, from which each node's is made, and which it leaves."""
    for f in range(space.order.size):
        space.order[f] = f


@spelled_out
def position_of_feature(key, n_drawn, n_features):
    """Draw the hash from which a node's next feature comes, and its position among those left."""
    drawn = mix(key + np.uint64(n_drawn))
    left = np.uint64(n_features - n_drawn)
    return drawn, n_drawn + np.int64(((drawn >> np.uint64(32)) * left) >> np.uint64(32))


@spelled_out
def split_of(rules, is_categorical, trials, u, j, nan_left):
    """Spell out the choice of a trial's candidate; there is none if the trial is -1.

    Returns
    -------
    found : bool
    feature : int
        ``~feature`` if missing values go left.
    threshold : float32
    has_missing : bool
        Whether any row misses its value.
    """
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


@spelled_out
def ordered(bits):
    """Turn the bits of a float32 into an int32 of the same order, or back."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@spelled_out
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


@spelled_out
def is_stale(trial):
    """Tell whether the last row at an end of a trial's range is gone, or the last that misses."""
    n_fewest = min(trial.n_low, trial.n_high)
    return n_fewest <= 0 or (trial.low == trial.high and trial.n_missing == 0)


@spelled_out
def sum_trial(table, rules, rows, size, space, u, f, drawn, keeps):
    """Sum the rows of a node over the intervals of a feature, unless it does not vary.

    Parameters
    ----------
    table, rules, rows, size, space, keeps
        As for :func:`choose_split`; the space has the rows' labels in `codes` if these are counted,
        or their targets in `amounts` if there is one without weights.
    u : int
        Number of the trial, which is left in the space with its sums.
    f : int
        The feature.
    drawn : uint64
        From which its candidates are derived.

    Returns
    -------
    varies : bool
    """
    labels, targets = table.labels, table.targets
    weights, scales = table.weights, table.scales
    values, positions, codes = space.values, space.positions, space.codes
    trials, sums = space.trials, space.sums
    width, n_grid = space.total.size, rules.n_candidates
    stride = (n_grid + 2) * width
    plain = labels.size > 0 and weights.size == 0
    single = labels.size == 0 and weights.size == 0 and width == 2
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
        return False
    at = u * stride
    end = at + (n_grid + 1) * width
    for k in range(stride):
        sums[np.uint64(at + k)] = 0
    per_step, shift, first = 0.0, 0.0, 0.0
    if low < high:
        step, shift, first = lattice_of(low, high, drawn, n_grid)
        per_step = 1.0 / step
    if plain or single:
        for i in range(size):
            v = values[i]
            interval = interval_of(v, per_step, shift, first)
            interval = interval if v == v else n_grid + 1
            positions[i] = interval * width + (codes[i] if plain else 0)
    if plain:
        for i in range(size):
            sums[np.uint64(at) + np.uint64(positions[i])] += 1
    elif single:
        for i in range(size):
            to = np.uint64(at) + np.uint64(positions[i])
            sums[to] += space.amounts[i]
            sums[to + np.uint64(1)] += 1
    else:
        for i in range(size):
            v, to = values[i], end
            if v == v:
                to = at + interval_of(v, per_step, shift, first) * width
            count_in(sums, to, width, rows[i], labels, targets, weights, scales, np.int64(1))
    trials[u].key, trials[u].feature = drawn, f
    trials[u].low, trials[u].high = low, high
    trials[u].n_missing = n_missing
    if keeps:
        n_low, n_high = 0, 0
        for i in range(size):
            n_low += values[i] == low
            n_high += values[i] == high
        trials[u].n_low, trials[u].n_high = n_low, n_high
    return True


@part
def choose_split(table, rules, rows, size, key, space, known, anew, keeps):
    """Choose the best split of a node; of equally good ones the first.

    Parameters
    ----------
    table : Table
    rules : Rules
    rows : ndarray of shape (>= size,), int32
        The node's rows, if any are to be looked at.
    size : int
        How many they are.
    key : uint64
        The node's key.
    space : Space
        With the node's sums in `total`; trials and their sums are left in it.
    known : bool
        Whether trials and their sums are there already.
    anew : bool
        Whether not all of them are, or not all of use.
    keeps : bool
        Whether all sums are wanted, even those of trials that can not be better.

    Returns
    -------
    found, feature, threshold, has_missing
        As in :func:`split_of`.
    rival : float
        Merit that no other candidate exceeds; infinite unless sums are known or wanted, rows have
        no weights and the criterion is Gini's.
    """
    order, trials, n_features = space.order, space.trials, space.order.size
    n_used, n_drawn = np.int64(0), np.int64(0)
    score, best, candidate, nan_left, perfect = -np.inf, np.int64(-1), np.int64(0), False, False
    keeps_rival = (known or keeps) and table.weights.size == 0 and rules.criterion == GINI
    rival = -np.inf if keeps_rival else np.inf
    if table.labels.size and not table.weights.size and anew:
        for i in range(size):
            space.codes[i] = table.labels[np.uint32(rows[i])]
    elif space.amounts.size and anew:
        for i in range(size):
            row = np.uint32(rows[i])
            space.amounts[i] = np.int64(np.rint(table.targets[row, 0] * table.scales[0]))
    while n_used < rules.max_features and not (perfect and not keeps):
        if known:
            if trials[n_used].feature < 0:
                break
            f, drawn = np.int64(trials[n_used].feature), trials[n_used].key
        else:
            if n_drawn == n_features:
                break
            drawn, position = position_of_feature(key, n_drawn, n_features)
            f = np.int64(order[position])
            order[position] = order[n_drawn]
            order[n_drawn] = f
            n_drawn += 1
        if (not known or (anew and is_stale(trials[n_used]))) and not sum_trial(
            table, rules, rows, size, space, n_used, f, drawn, keeps
        ):
            if known:  # another feature takes its place: all over again
                known, n_used, score, best, perfect = False, 0, -np.inf, np.int64(-1), False
                rival = -np.inf if keeps_rival else np.inf
            continue
        if not perfect:
            here, j, missing_left, pure, other = rate(
                table, rules, space, n_used, size, score, keeps_rival
            )
            rival = max(rival, other)
            if j >= 0:
                rival = np.inf if pure else max(rival, score)
                score, best, candidate, nan_left = here, n_used, j, missing_left
                perfect = pure or size == 2  # two rows are divided in one way only
        n_used += 1
    if not known:
        for u in range(n_used, rules.max_features):
            trials[u].feature = -1
        for i in range(n_drawn - 1, -1, -1):
            _, position = position_of_feature(key, i, n_features)
            f = order[position]
            order[position] = order[i]
            order[i] = f
    found, feature, threshold, has_missing = split_of(
        rules, table.is_categorical, trials, best, candidate, nan_left
    )
    return found, feature, threshold, has_missing, rival
