"""Numba kernel: a randomised tree grows; it is a pure function of a key and a set of rows."""

from typing import NamedTuple

import numpy as np
from numba import njit

from skunlearn._kernels.borrowed import borrowed
from skunlearn._kernels.forest.splits import space_for, split_by_rows
from skunlearn._kernels.forest.tree_parts import (
    SQUARED_ERROR,
    TRIAL,
    Table,
    child_key,
    count_in,
    goes_left,
)

# What stands in the place of a cache: none, or the knowledge that no feature varies.
NONE, SETTLED = -1, -2

# A node with more rows than this keeps the sums from which its split was chosen.
CACHED = 256

# The rows of a subtree with no more of them than this are copied, to lie close together.
COPIED = 4096

# A node: where it divides its rows (infinite for a leaf); its left child, next to which the right
# one stands (itself for a leaf); by which feature, ``~feature`` if missing values go left.
NODE = np.dtype([("threshold", np.float32), ("left", np.int32), ("feature", np.int32)])

# Where a node's rows stand among its tree's, how many there are, and the position of its cache.
EXTENT = np.dtype(
    [("start", np.int32), ("stop", np.int32), ("size", np.int32), ("cache", np.int32)]
)

# A node that is to grow.
SPROUT = np.dtype([("key", np.uint64), ("node", np.int32), ("depth", np.int32)])


@njit(cache=True)
def targets_differ(targets, rows, gone):
    """Tell whether targets differ among rows, of which some may be gone."""
    first = -1
    for row in rows:
        if row < 0 or (gone.size and gone[row]):
            continue
        if first < 0:
            first = row
        for o in range(targets.shape[1]):
            if targets[row, o] != targets[first, o]:
                return True
    return False


@njit(cache=True)
def is_decided(targets, rules, rows, gone, size, total, n_sums, depth):
    """Tell whether a node is a leaf, whatever its features.

    Parameters
    ----------
    targets : ndarray
        Of the table.
    rules : Rules
    rows : ndarray, int32
        The node's rows, and others that are gone or negative.
    gone : ndarray of shape (n_slots,) or (0,), bool
        True for rows that are not to count.
    size : int
        Number of rows that count.
    total : ndarray of shape (>= n_sums,), int64
        Their sums.
    n_sums, depth : int
    """
    if size < rules.min_samples_split or depth >= rules.max_depth:
        return True
    if rules.criterion == SQUARED_ERROR:
        return not targets_differ(targets, rows, gone)
    n_held = 0
    for k in range(n_sums):
        n_held += total[k] > 0
    return n_held <= 1


@njit(cache=True)
def enlarged(array, n):
    """Copy an array of nodes to one with room for n."""
    more = np.empty((n, *array.shape[1:]), array.dtype)
    old, new = array.reshape(-1), more.reshape(-1)
    for i in range(old.size):
        new[i] = old[i]
    return more


@njit(cache=True)
def copy_into(table, row, values):
    """Overwrite a row; quicker to compile than a statement, which comes with its error messages."""
    for i in range(values.size):
        table[row, i] = values[i]


@njit(cache=True)
def copy_rows(table, rows, size, to):
    """Copy rows to the beginning of another table, which has them feature after feature."""
    table, rows, to = borrowed(table), borrowed(rows), borrowed(to)
    for f in range(table.is_categorical.size):
        column, copied = table.values[f * table.column_step :], to.values[f * to.column_step :]
        for i in range(size):
            copied[i] = column[rows[i] * table.row_step]
    for i in range(size):
        row = rows[i]
        if table.labels.size:
            to.labels[i] = table.labels[row]
        if table.weights.size:
            to.weights[i] = table.weights[row]
        for o in range(table.targets.shape[1]):
            to.targets[i, o] = table.targets[row, o]


@njit(cache=True, inline="always")
def divide(table, rows, start, stop, feature, threshold, has_missing, spare):
    """Reorder rows by the side of a split on which they are; returns where the right ones begin."""
    by = feature if feature >= 0 else ~feature
    column, is_categorical = table.values[by * table.column_step :], table.is_categorical[by]
    row_step = np.uint64(table.row_step)
    middle, n_right = start, 0
    if has_missing or is_categorical:
        for i in range(start, stop):
            row = rows[i]
            left = goes_left(
                column[np.uint64(row) * row_step], threshold, feature < 0, is_categorical
            )
            rows[np.uint32(middle)] = spare[np.uint32(n_right)] = row
            middle += left
            n_right += not left
    else:
        for i in range(start, stop):
            row = rows[i]
            left = column[np.uint64(row) * row_step] <= threshold
            rows[np.uint32(middle)] = spare[np.uint32(n_right)] = row
            middle += left
            n_right += not left
    right = rows[middle:]
    for i in range(n_right):
        right[i] = spare[i]
    return middle


class Bench(NamedTuple):
    """Where trees of up to a number of rows grow, next to the space for their nodes.

    Parameters
    ----------
    close : Table
        Copied rows.
    slots : ndarray of shape (n_copied,), int32
        Where they come from.
    stack : ndarray of shape (n_rows + 2,), SPROUT
    """

    close: Table
    slots: np.ndarray
    stack: np.ndarray


@njit(cache=True)
def bench_for(n_rows, table):
    """Allocate a bench for trees of up to a number of rows."""
    n = min(n_rows, COPIED)
    close = Table(
        np.empty(n * table.is_categorical.size, np.float32),
        np.int64(1),
        np.int64(n),
        table.is_categorical,
        np.empty(n if table.labels.size else 0, np.int32),
        np.empty((n if table.targets.size else 0, table.targets.shape[1])),
        np.empty(n if table.weights.size else 0),
        table.class_weight,
        table.scales,
    )
    return Bench(close, np.empty(n, np.int32), np.empty(n_rows + 2, SPROUT))


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
    like : ndarray of shape (width,)
        As wide as sums over rows, and of their type; see :func:`count_in`.

    Returns
    -------
    nodes : ndarray of shape (n_nodes,), NODE
        In the order in which depth-first growth from the left comes upon them.
    extents : ndarray of shape (n_nodes,), EXTENT
    stats : ndarray of shape (n_nodes, n_sums)
        Weights of classes; or sums of weighted targets, then the weight.
    trials : ndarray of shape (n_cached, max_features), TRIAL
    sums : ndarray of shape (n_cached, max_features * (n_candidates + 2) * width)
        Of nodes that have more than CACHED rows.
    """
    n_rows, n_features = rows.size, table.is_categorical.size
    n_sums = like.size if table.labels.size and not table.weights.size else like.size - 1
    n_most, room = max(2 * n_rows - 1, 1), 2 * n_rows // CACHED
    space = space_for(n_rows, n_features, rules, like)
    nodes, extents = np.empty(n_most, NODE), np.empty(n_most, EXTENT)
    stats = np.empty((n_most, n_sums), like.dtype)
    trials = np.empty((room, rules.max_features), TRIAL)
    sums = np.empty((room, space.sums.size), like.dtype)
    bench = bench_for(n_rows, table)
    n_nodes, n_cached, trials, sums = grow_into(
        table,
        rules,
        rows,
        key,
        depth,
        space,
        bench,
        nodes,
        extents,
        stats,
        trials,
        sums,
        np.int64(0),
    )
    return (
        nodes[:n_nodes].copy(),
        extents[:n_nodes].copy(),
        stats[:n_nodes].copy(),
        trials[:n_cached].copy(),
        sums[:n_cached].copy(),
    )


@njit(cache=True, nogil=True)
def grow_into(
    table, rules, rows, key, depth, space, bench, nodes, extents, stats, trials, sums, n_cached
):
    """Grow a tree in room that is large enough, except for caches.

    Parameters
    ----------
    table, rules, rows, key, depth
        As in :func:`grow`.
    space : Space
    bench : Bench
    nodes, extents, stats : ndarray
        Their beginning is overwritten by what :func:`grow` returns.
    trials, sums : ndarray
        Likewise, after those that are in use.
    n_cached : int
        How many of them are in use.

    Returns
    -------
    n_nodes, n_cached : int
        How many nodes there are, and how many caches are in use.
    trials, sums : ndarray
        Those given, or larger ones.
    """
    table, rows, space = borrowed(table), borrowed(rows), borrowed(space)
    close, slots, stack = borrowed(bench.close), borrowed(bench.slots), borrowed(bench.stack)
    nodes, extents, stats = borrowed(nodes), borrowed(extents), borrowed(stats)
    width, n_sums, none = space.total.size, stats.shape[1], np.empty(0, np.bool_)
    total, here = space.total, table
    close_from, close_to = 0, 0
    extents[0].start, extents[0].stop = 0, rows.size
    stack[0].key, stack[0].node, stack[0].depth = key, 0, depth
    for k in range(width):
        total[k] = 0
    for i in range(rows.size):
        count_in(
            total, 0, width, rows[i], table.labels, table.targets, table.weights, table.scales, 1
        )
    for k in range(n_sums):
        stats[0, k] = total[k]
    n_nodes, top = 1, 1
    while top:
        top -= 1
        its_key, node, deep = stack[top].key, stack[top].node, stack[top].depth
        start, stop = extents[node].start, extents[node].stop
        size = stop - start
        mine = rows[start:stop]
        extents[node].size, extents[node].cache = size, NONE
        nodes[node].threshold, nodes[node].feature, nodes[node].left = np.inf, -1, node
        if start >= close_to:
            for i in range(close_from, close_to):
                rows[i] = slots[rows[i]]
            close_from, here = close_to, table
            if size <= COPIED:
                close_from, close_to, here = start, stop, close
                copy_rows(table, mine, size, close)
                for i in range(size):
                    slots[i] = mine[i]
                    mine[i] = i
        total[width - 1] = size
        for k in range(n_sums):
            total[k] = stats[node, k]
        if is_decided(here.targets, rules, mine, none, size, total, n_sums, deep):
            continue
        found, feature, threshold, has_missing = split_by_rows(
            here, rules, mine, size, its_key, space, size > CACHED
        )
        if not found:
            if space.trials[0].feature < 0:
                extents[node].cache = SETTLED
            continue
        if size > CACHED:
            if n_cached == trials.shape[0]:
                trials, sums = enlarged(trials, 2 * n_cached + 1), enlarged(sums, 2 * n_cached + 1)
            copy_into(trials, n_cached, space.trials)
            copy_into(sums, n_cached, space.sums)
            extents[node].cache = n_cached
            n_cached += 1
        middle = divide(here, rows, start, stop, feature, threshold, has_missing, space.spare)
        nodes[node].threshold, nodes[node].feature = threshold, feature
        nodes[node].left = n_nodes
        extents[n_nodes].start, extents[n_nodes].stop = start, middle
        extents[n_nodes + 1].start, extents[n_nodes + 1].stop = middle, stop
        fewer = 0 if 2 * (middle - start) < size else 1
        for k in range(width):
            total[k] = 0
        for i in range(middle if fewer else start, stop if fewer else middle):
            count_in(
                total, 0, width, rows[i], here.labels, here.targets, here.weights, here.scales, 1
            )
        for k in range(n_sums):
            stats[n_nodes + fewer, k] = total[k]
            stats[n_nodes + 1 - fewer, k] = stats[node, k] - total[k]
        for side in range(1, -1, -1):
            stack[top].key, stack[top].node = child_key(its_key, side == 0), n_nodes + side
            stack[top].depth = deep + 1
            top += 1
        n_nodes += 2
    for i in range(close_from, close_to):
        rows[i] = slots[rows[i]]
    return n_nodes, n_cached, trials, sums
