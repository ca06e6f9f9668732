"""Numba kernel: a randomised tree grows; it is a pure function of a key and a set of rows."""

from typing import NamedTuple

import numpy as np

from skunlearn._kernels.forest.splits import Space, choose_split, empty_arrays, put_in_order
from skunlearn._kernels.forest.tree_parts import (
    SQUARED_ERROR,
    TRIAL,
    Rules,
    Table,
    add_rows,
    child_key,
    goes_left,
)
from skunlearn._kernels.lean import entry, part, spelled_out

# What stands in the place of a cache: none, or the knowledge that no feature varies.
NONE, SETTLED = -1, -2

# A node with more rows than this keeps the sums from which its split was chosen.
CACHED = 64

# Room for caches: at least, and for as many rows as a node without a cache may have.
_CACHES, _CACHES_PER_NODE = 16, 3

# The rows of a subtree with no more of them than this are copied, to lie close together.
COPIED = 4096

# A node: where it divides its rows (infinite for a leaf); its left child, next to which the right
# one stands (itself for a leaf); by which feature, ``~feature`` if missing values go left.
NODE = np.dtype([("threshold", np.float32), ("left", np.int32), ("feature", np.int32)])

# Where a node's rows stand among its tree's, how many there are, and the position of its cache.
EXTENT = np.dtype(
    [("start", np.int32), ("stop", np.int32), ("size", np.int32), ("cache", np.int32)]
)

# A node that becomes a tree or gets another subtree: its key, its number and depth, in which tree,
# and where rows and new nodes begin and end.
GRAFT = np.dtype(
    [
        ("key", np.uint64),
        ("node", np.int32),
        ("tree", np.int32),
        ("depth", np.int32),
        ("first_row", np.int32),
        ("last_row", np.int32),
        ("first_node", np.int32),
        ("last_node", np.int32),
    ],
    align=True,
)

# A node that is to grow.
SPROUT = np.dtype([("key", np.uint64), ("node", np.int32), ("depth", np.int32)])


@spelled_out
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


@part
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


@part
def copy_into(table, row, values):
    """Overwrite a row; quicker to compile than a statement, which comes with its error messages."""
    for i in range(values.size):
        table[row, i] = values[i]


@part
def copy_rows(table, rows, size, to):
    """Copy rows to the beginning of another table, which has them feature after feature."""
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


@part
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


# Types of what a bench consists of, but for what it shares with the table.
_BENCH = (np.float32, np.int32, np.float64, np.float64, np.int32, SPROUT)


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


def bench_for(n_rows: int, table: Table) -> Bench:
    """Allocate a bench for trees of up to a number of rows."""
    n = min(n_rows, COPIED)
    shapes = (
        n * table.is_categorical.size,
        n if table.labels.size else 0,
        (n if table.targets.size else 0, table.targets.shape[1]),
        n if table.weights.size else 0,
        n,
        n_rows + 2,
    )
    values, labels, targets, weights, slots, stack = empty_arrays(shapes, _BENCH)
    close = Table(
        values,
        1,
        n,
        table.is_categorical,
        labels,
        targets,
        weights,
        table.class_weight,
        table.scales,
    )
    return Bench(close, slots, stack)


class Grown(NamedTuple):
    """Trees, or subtrees, one after the other; nodes in the order in which growth comes upon them.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes,), NODE
        `left` counts from the tree's first.
    extents : ndarray of shape (n_nodes,), EXTENT
        Rows count from the tree's first, caches from the first of all.
    stats : ndarray of shape (n_nodes, n_sums)
        Weights of classes; or sums of weighted targets, then the weight.
    trials : ndarray of shape (n_cached, max_features), TRIAL
    sums : ndarray of shape (n_cached, max_features * (n_candidates + 2) * width)
        Of nodes that have more than CACHED rows.
    rivals : ndarray of shape (n_cached,), float64
        Of the same, merits that no other split exceeds.
    """

    nodes: np.ndarray
    extents: np.ndarray
    stats: np.ndarray
    trials: np.ndarray
    sums: np.ndarray
    rivals: np.ndarray


def grow(
    table: Table, rules: Rules, rows: np.ndarray, grafts: np.ndarray, longest: int, space: Space
) -> Grown:
    """Grow trees, or subtrees.

    Parameters
    ----------
    table : Table
    rules : Rules
    rows : ndarray of shape (n_rows,), int32
        Slots; reordered so that the rows of each node stand together.
    grafts : ndarray of shape (n_grafts,), GRAFT
        Keys, depths and rows of the roots; where their nodes begin and end is filled in.
    longest : int
        How many rows there are of any of them at most.
    space : Space
        For so many.

    Returns
    -------
    grown : Grown
    """
    bench = bench_for(longest, table)
    n_most = 2 * rows.size + grafts.size
    width, kind = space.total.size, space.sums.dtype
    n_sums = width - 1 if table.weights.size else width
    room = _CACHES + _CACHES_PER_NODE * (rows.size // CACHED) if longest > CACHED else 0
    nodes, extents, stats, trials, sums, rivals = empty_arrays(
        (
            n_most,
            n_most,
            (n_most, n_sums),
            (room, rules.max_features),
            (room, space.sums.size),
            room,
        ),
        (NODE, EXTENT, kind, TRIAL, kind, np.float64),
    )
    done = np.zeros(3, dtype=np.int64)
    while not grow_some(
        table, rules, rows, grafts, space, bench, nodes, extents, stats, trials, sums, rivals, done
    ):
        trials, sums, rivals = (
            np.concatenate([array, np.empty_like(array)]) for array in (trials, sums, rivals)
        )
    n_nodes, n_cached = done[1:]
    return Grown(
        nodes[:n_nodes],
        extents[:n_nodes],
        stats[:n_nodes],
        trials[:n_cached],
        sums[:n_cached],
        rivals[:n_cached],
    )


@entry
def grow_some(
    table, rules, all_rows, grafts, space, bench, all_nodes, all_extents, all_stats, trials, sums,
    rivals, done,
):  # fmt: skip
    """Grow trees where there is room enough, except for caches.

    Parameters
    ----------
    table, rules, all_rows, grafts
        As for :func:`grow`.
    space : Space
    bench : Bench
    all_nodes, all_extents, all_stats, trials, sums, rivals : ndarray
        What :func:`grow` returns is left in them.
    done : ndarray of shape (3,), int64
        How many trees, nodes and caches there are already; updated.

    Returns
    -------
    all_done : bool
        False if there is no more room for caches; with more, another call goes on.
    """
    close, slots, stack, total = bench.close, bench.slots, bench.stack, space.total
    width, n_sums = total.size, all_stats.shape[1]
    put_in_order(space)
    for number in range(done[0], grafts.size):
        graft, first = grafts[number], done[1]
        rows = all_rows[graft.first_row : graft.last_row]
        nodes, extents, stats = all_nodes[first:], all_extents[first:], all_stats[first:]
        here, close_from, close_to = table, np.int64(0), np.int64(0)
        n_nodes, n_cached, top = np.int64(1), done[2], np.int64(1)
        extents[0].start, extents[0].stop = 0, rows.size
        stack[0].key, stack[0].node, stack[0].depth = graft.key, 0, graft.depth
        for k in range(width):
            total[k] = 0
        add_rows(total, table, rows, np.int64(0), rows.size, np.int64(1))
        for k in range(n_sums):
            stats[0, k] = total[k]
        while top:
            top -= 1
            key, node, depth = stack[top].key, np.int64(stack[top].node), np.int64(stack[top].depth)
            start, stop = np.int64(extents[node].start), np.int64(extents[node].stop)
            size = stop - start
            mine = rows[start:stop]
            extents[node].size, extents[node].cache = size, NONE
            nodes[node].threshold, nodes[node].feature, nodes[node].left = np.inf, -1, node
            if start >= close_to:
                put_back(rows, slots, close_from, close_to)
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
            if is_decided(here.targets, rules, mine, space.none, size, total, n_sums, depth):
                continue
            found, feature, threshold, has_missing, rival = choose_split(
                here, rules, mine, size, key, space, np.bool_(False), np.bool_(True), size > CACHED
            )
            if not found:
                if space.trials[0].feature < 0:
                    extents[node].cache = SETTLED
                continue
            if size > CACHED:
                if n_cached == trials.shape[0]:
                    put_back(rows, slots, close_from, close_to)
                    return False
                copy_into(trials, n_cached, space.trials)
                copy_into(sums, n_cached, space.sums)
                rivals[n_cached] = rival
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
            begin, end = (middle, stop) if fewer else (start, middle)
            add_rows(total, here, rows, begin, end, np.int64(1))
            for k in range(n_sums):
                stats[n_nodes + fewer, k] = total[k]
                stats[n_nodes + 1 - fewer, k] = stats[node, k] - total[k]
            for side in range(1, -1, -1):
                stack[top].key, stack[top].node = child_key(key, side == 0), n_nodes + side
                stack[top].depth = depth + 1
                top += 1
            n_nodes += 2
        put_back(rows, slots, close_from, close_to)
        graft.first_node, graft.last_node = first, first + n_nodes
        done[0], done[1], done[2] = number + 1, first + n_nodes, n_cached
    return True


@spelled_out
def put_back(rows, slots, start, stop):
    """Call copied rows by their slots again."""
    for i in range(start, stop):
        rows[i] = slots[rows[i]]
