"""Numba kernels: a randomised tree as a pure function of a key and a set of rows.

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

# What stands in the place of a cache: none, or the knowledge that no feature varies.
NONE, SETTLED = -1, -2

# A node with more rows than this keeps the sums from which its split was chosen.
CACHED = 256

# A node: where it divides its rows (infinite for a leaf); its left child, next to which the right
# one stands (itself for a leaf); by which feature, ``~feature`` if missing values go left.
NODE = np.dtype([("threshold", np.float32), ("left", np.int32), ("feature", np.int32)])

# Where a node's rows stand among its tree's, how many there are, and the place of its cache.
EXTENT = np.dtype(
    [("start", np.int32), ("stop", np.int32), ("size", np.int32), ("cache", np.int32)]
)

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
_BITS = 6
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
        bit = np.uint64(code & np.uint32((1 << _BITS) - 1))
        bits = np.uint64(category_bits(value, code >> np.uint32(_BITS)))
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


@njit(cache=True)
def add_up(table, rules, rows, key, space, trials, sums):
    """Compute the sums from which a node's split is chosen.

    Parameters
    ----------
    table : Table
    rules : Rules
    rows : ndarray of shape (n_rows,), int32
        The node's rows.
    key : uint64
        The node's key.
    space : Space
    trials : ndarray of shape (max_features,), TRIAL
        Overwritten.
    sums : ndarray of shape (max_features, n_candidates + 2, n_sums + 1), integer
        Overwritten. For each interval between thresholds, or for the left side of each categorical
        candidate, and last for missing values: sums as in a node's, and the number of rows.
    """
    columns, labels, targets = table.columns, table.labels, table.targets
    weights, scales = table.weights, table.scales
    n_features = columns.shape[0]
    n, n_grid, last = rows.size, rules.n_candidates, sums.shape[2] - 1
    order, values, places, grid = space.order, space.values, space.places, space.grid
    plain = labels.size > 0 and weights.size == 0
    n_used, n_drawn = 0, 0
    while n_used < rules.max_features and n_drawn < n_features:
        drawn = mix(key + np.uint64(n_drawn))
        at = n_drawn + np.int64((drawn >> np.uint64(32)) % np.uint64(n_features - n_drawn))
        f = order[at]
        order[at] = order[n_drawn]
        order[n_drawn] = f
        n_drawn += 1
        column = columns[f]
        low, high = np.float32(np.inf), np.float32(-np.inf)
        n_missing = 0
        for i in range(n):
            v = column[rows[i]]
            values[i] = v
            low = v if v < low else low
            high = v if v > high else high
            n_missing += v != v
        if n_missing == n or not (low < high or n_missing):
            continue
        sums[n_used] = 0
        n_low, n_high = 0, 0
        if table.is_categorical[f]:
            number = drawn & NUMBERS
            for i in range(n):
                v = values[i]
                n_low += v == low
                n_high += v == high
                if v != v:
                    count_in(sums[n_used, n_grid + 1], rows[i], labels, targets, weights, scales, 1)
                    continue
                bits = category_bits(v, number)
                for j in range(n_grid):
                    if (bits >> np.uint64(j)) & np.uint64(1) != 0:
                        count_in(sums[n_used, j], rows[i], labels, targets, weights, scales, 1)
        else:
            step, origin = grid_of(low, high, drawn, n_grid)
            per_step = 1.0 / step
            for j in range(n_grid):
                grid[j] = threshold_at(step, origin, j)
            for i in range(n):
                v = values[i]
                n_low += v == low
                n_high += v == high
                places[i] = n_grid + 1 if v != v else interval_of(v, per_step, origin, grid)
            if plain:
                for i in range(n):
                    sums[n_used, places[i], labels[rows[i]]] += 1
                    sums[n_used, places[i], last] += 1
            else:
                for i in range(n):
                    count_in(sums[n_used, places[i]], rows[i], labels, targets, weights, scales, 1)
        trials[n_used].feature, trials[n_used].key = f, drawn
        trials[n_used].low, trials[n_used].high = low, high
        trials[n_used].n_low, trials[n_used].n_high = n_low, n_high
        n_used += 1
    for u in range(n_used, rules.max_features):
        trials[u].feature = -1
    for i in range(n_drawn - 1, -1, -1):
        drawn = mix(key + np.uint64(i))
        at = i + np.int64((drawn >> np.uint64(32)) % np.uint64(n_features - i))
        f = order[at]
        order[at] = order[i]
        order[i] = f


@njit(cache=True, inline="always")
def merit(parts, which, total, criterion, class_weight):
    """Rate a division into ``parts[which]`` and the rest of `total`; the larger, the purer."""
    n = total.size - 1
    left, right, merit_left, merit_right = 0.0, 0.0, 0.0, 0.0
    if criterion == SQUARED_ERROR:
        left = np.float64(parts[which, n - 1])
        right = np.float64(total[n - 1] - parts[which, n - 1])
        for o in range(n - 1):
            a, b = np.float64(parts[which, o]), np.float64(total[o] - parts[which, o])
            merit_left += a * a
            merit_right += b * b
    elif criterion == GINI:
        for k in range(n):
            a = class_weight[k] * np.float64(parts[which, k])
            b = class_weight[k] * np.float64(total[k] - parts[which, k])
            left += a
            right += b
            merit_left += a * a
            merit_right += b * b
    else:
        for k in range(n):
            a = class_weight[k] * np.float64(parts[which, k])
            b = class_weight[k] * np.float64(total[k] - parts[which, k])
            left += a
            right += b
            merit_left += a * np.log(a) if a > 0.0 else 0.0
            merit_right += b * np.log(b) if b > 0.0 else 0.0
        return merit_left - left * np.log(left) + merit_right - right * np.log(right)
    return (merit_left * right + merit_right * left) / (left * right)


@njit(cache=True)
def choose(rules, is_categorical, class_weight, trials, sums, total, parts):
    """Choose the best split by a node's sums; of equally good ones the first.

    Parameters
    ----------
    rules : Rules
    is_categorical, class_weight : ndarray
        Of the table.
    trials, sums : ndarray
        From :func:`add_up`.
    total : ndarray of shape (n_sums + 1,), int64
        Sums of the node, and its number of rows.
    parts : ndarray of shape (2, n_sums + 1), int64
        Working space.

    Returns
    -------
    found : bool
    feature : int
        ``~feature`` if missing values go left.
    threshold : float32
    has_missing : bool
        Whether any row misses its value.
    """
    n_grid, criterion = rules.n_candidates, rules.criterion
    last = total.size - 1
    best, best_trial, best_j, nan_left = -np.inf, -1, 0, False
    for u in range(trials.size):
        f = trials[u].feature
        if f < 0:
            break
        categorical = is_categorical[f]
        n_missing = sums[u, n_grid + 1, last]
        if criterion == GINI and last == 2 and not (n_missing or categorical):
            w0, w1 = class_weight[0], class_weight[1]
            n_left, count0, count1 = 0, 0, 0
            for j in range(n_grid):
                if sums[u, j, 2] == 0:
                    continue
                n_left += sums[u, j, 2]
                count0 += sums[u, j, 0]
                count1 += sums[u, j, 1]
                if min(n_left, total[2] - n_left) < rules.min_samples_leaf:
                    continue
                a0, a1 = w0 * count0, w1 * count1
                b0, b1 = w0 * (total[0] - count0), w1 * (total[1] - count1)
                left, right = a0 + a1, b0 + b1
                score = (a0 * a0 + a1 * a1) * right + (b0 * b0 + b1 * b1) * left
                score /= left * right
                if score > best:
                    best, best_trial, best_j = score, u, j
                    nan_left = n_left >= total[2] - n_left
            continue
        for k in range(last + 1):
            parts[0, k] = 0
        for j in range(0 if trials[u].low < trials[u].high else n_grid, n_grid + 1):
            if j == n_grid:  # missing values against all others
                if not n_missing:
                    break
                for k in range(last + 1):
                    parts[0, k] = total[k] - sums[u, n_grid + 1, k]
            elif categorical:
                for k in range(last + 1):
                    parts[0, k] = sums[u, j, k]
            elif sums[u, j, last] == 0:
                continue
            else:
                for k in range(last + 1):
                    parts[0, k] += sums[u, j, k]
            for with_missing in range(2 if n_missing and j < n_grid else 1):
                if with_missing:
                    for k in range(last + 1):
                        parts[1, k] = parts[0, k] + sums[u, n_grid + 1, k]
                n_left = parts[with_missing, last]
                n_right = total[last] - n_left
                if min(n_left, n_right) < rules.min_samples_leaf:
                    continue
                score = merit(parts, with_missing, total, criterion, class_weight)
                if score > best:
                    best, best_trial, best_j = score, u, j
                    nan_left = with_missing == 1 if n_missing else n_left >= n_right
    if best_trial < 0:
        return False, -1, np.float32(np.inf), False
    f = trials[best_trial].feature
    if best_j == n_grid:
        threshold = np.float32(np.inf)
    elif is_categorical[f]:
        number = np.uint32(trials[best_trial].key & NUMBERS)
        threshold = np.uint32((number << np.uint32(_BITS)) | np.uint32(best_j)).view(np.float32)
    else:
        low, high = trials[best_trial].low, trials[best_trial].high
        step, origin = grid_of(low, high, trials[best_trial].key, n_grid)
        threshold = threshold_at(step, origin, best_j)
    has_missing = sums[best_trial, n_grid + 1, last] > 0
    return True, ~f if nan_left else f, threshold, has_missing


@njit(cache=True, inline="always")
def is_decided(targets, rules, rows, total, depth):
    """Tell whether a node is a leaf, whatever its features."""
    last = total.size - 1
    decided = total[last] < rules.min_samples_split or depth >= rules.max_depth
    if rules.criterion != SQUARED_ERROR:
        n_held = 0
        for k in range(last):
            n_held += total[k] > 0
        decided |= n_held <= 1
    elif not decided:
        decided = True
        for i in range(1, rows.size):
            for o in range(targets.shape[1]):
                decided &= targets[rows[i], o] == targets[rows[0], o]
            if not decided:
                break
    return decided


@njit(cache=True)
def enlarged(array, n):
    """Copy an array of nodes to one with room for n."""
    more = np.empty((n, *array.shape[1:]), array.dtype)
    more[: array.shape[0]] = array
    return more


@njit(cache=True, nogil=True)
def grow(table, rules, rows, key, depth, like):
    """Grow a tree, or a subtree.

    Parameters
    ----------
    table : Table
    rules : Rules
    rows : ndarray of shape (n_rows,), int32
        Slots; reordered so that the rows of each node stand together.
    key : uint64
        Key of the root.
    depth : int
        Its depth.
    like : ndarray of shape (n_sums + 1,)
        Of the type in which sums are kept.

    Returns
    -------
    nodes : ndarray of shape (n_nodes,), NODE
        In the order in which depth-first growth from the left comes upon them.
    extents : ndarray of shape (n_nodes,), EXTENT
    stats : ndarray of shape (n_nodes, n_sums), int64
        Weights of classes; or sums of weighted targets, then the weight.
    trials : ndarray of shape (n_cached, max_features), TRIAL
    sums : ndarray of shape (n_cached, max_features, n_candidates + 2, n_sums + 1)
        Of nodes that have more than CACHED rows.
    """
    n_rows, n_sums = rows.size, like.shape[0] - 1
    columns, labels, targets = table.columns, table.labels, table.targets
    weights, scales = table.weights, table.scales
    plain = labels.size > 0 and weights.size == 0
    n_most = max(2 * n_rows - 1, 1)
    nodes, extents = np.empty(n_most, NODE), np.empty(n_most, EXTENT)
    stats = np.empty((n_most, n_sums), np.int64)
    n_cached, room = 0, 2 * n_rows // CACHED + 1
    trials = np.empty((room, rules.max_features), TRIAL)
    sums = np.empty((room, rules.max_features, rules.n_candidates + 2, n_sums + 1), like.dtype)
    space = space_for(n_rows, columns.shape[0], rules.n_candidates)
    total = np.zeros(n_sums + 1, np.int64)
    parts = np.zeros((2, n_sums + 1), np.int64)
    spare = np.empty(n_rows, np.int32)
    stack = np.empty((n_rows + 2, 2), np.int32)
    keys = np.empty(n_rows + 2, np.uint64)
    extents[0].start, extents[0].stop = 0, n_rows
    stack[0, 0], stack[0, 1], keys[0] = 0, depth, key
    n_nodes, top = 1, 1
    while top:
        top -= 1
        node, deep, here = stack[top, 0], stack[top, 1], keys[top]
        start, stop = extents[node].start, extents[node].stop
        total[:] = 0
        if plain:
            for i in range(start, stop):
                total[labels[rows[i]]] += 1
            total[n_sums] = stop - start
        else:
            for i in range(start, stop):
                count_in(total, rows[i], labels, targets, weights, scales, 1)
        for k in range(n_sums):
            stats[node, k] = total[k]
        extents[node].size, extents[node].cache = stop - start, NONE
        nodes[node].threshold, nodes[node].feature, nodes[node].left = np.inf, -1, node
        mine = rows[start:stop]
        if is_decided(targets, rules, mine, total, deep):
            continue
        if n_cached == room:
            room = 2 * room
            trials, sums = enlarged(trials, room), enlarged(sums, room)
        add_up(table, rules, mine, here, space, trials[n_cached], sums[n_cached])
        found, feature, threshold, _ = choose(
            rules,
            table.is_categorical,
            table.class_weight,
            trials[n_cached],
            sums[n_cached],
            total,
            parts,
        )
        if not found:
            if trials[n_cached, 0].feature < 0:
                extents[node].cache = SETTLED
            continue
        if stop - start > CACHED:
            extents[node].cache = n_cached
            n_cached += 1
        by = feature if feature >= 0 else ~feature
        column, is_categorical = columns[by], table.is_categorical[by]
        lower, n_right = start, 0
        for i in range(start, stop):
            row = rows[i]
            if goes_left(column[row], threshold, feature < 0, is_categorical):
                rows[lower] = row
                lower += 1
            else:
                spare[n_right] = row
                n_right += 1
        for i in range(n_right):
            rows[lower + i] = spare[i]
        nodes[node].threshold, nodes[node].feature = threshold, feature
        nodes[node].left = n_nodes
        extents[n_nodes].start, extents[n_nodes].stop = start, lower
        extents[n_nodes + 1].start, extents[n_nodes + 1].stop = lower, stop
        for side in range(1, -1, -1):
            stack[top, 0], stack[top, 1] = n_nodes + side, deep + 1
            keys[top] = child_key(here, side == 0)
            top += 1
        n_nodes += 2
    return (
        nodes[:n_nodes].copy(),
        extents[:n_nodes].copy(),
        stats[:n_nodes].copy(),
        trials[:n_cached].copy(),
        sums[:n_cached].copy(),
    )
