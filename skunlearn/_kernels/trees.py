"""Numba kernel: a randomised tree grows; it is a pure function of a key and a set of rows."""

import numpy as np
from numba import njit

from skunlearn._kernels.splits import (
    add_up,
    choose,
)
from skunlearn._kernels.tree_parts import (
    SQUARED_ERROR,
    TRIAL,
    child_key,
    count_in,
    goes_left,
    space_for,
)

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
