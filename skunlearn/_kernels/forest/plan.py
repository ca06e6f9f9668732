"""Numba kernels: rows leave the trees of a forest, or join them.

First it is planned what a request changes, and nothing is touched: along the paths of the rows
each node chooses its split anew, as if they had never, or always, been there. Where the choice
stays, the node is merely visited; where it changes, a new subtree is grown. Then the plan is
carried out.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from skunlearn._kernels.borrowed import borrowed
from skunlearn._kernels.forest.grow import (
    CACHED,
    EXTENT,
    NODE,
    NONE,
    SETTLED,
    bench_for,
    copy_into,
    divide,
    enlarged,
    grow_into,
    is_decided,
)
from skunlearn._kernels.forest.splits import space_for, split_by_rows, split_by_sums
from skunlearn._kernels.forest.tree_parts import (
    NUMBERS,
    TRIAL,
    child_key,
    count_in,
    interval_of,
    lattice_of,
    position_in_order,
)

# A node on the path of the rows that keeps its split: which rows, in the order of `leaving`;
# by which feature it divides from now on; the position of new sums, KEEP, or a mark for its cache.
VISIT = np.dtype(
    [
        ("node", np.int32),
        ("tree", np.int32),
        ("first", np.int32),
        ("last", np.int32),
        ("feature", np.int32),
        ("fresh", np.int32),
    ]
)
KEEP = -3

# A node to go to: which of the leaving rows go there.
STEP = np.dtype(
    [
        ("key", np.uint64),
        ("node", np.int32),
        ("depth", np.int32),
        ("first", np.int32),
        ("last", np.int32),
    ],
    align=True,
)

# A node that gets another subtree: of which tree, and where rows and nodes begin and end.
GRAFT = np.dtype(
    [
        ("key", np.uint64),
        ("node", np.int32),
        ("tree", np.int32),
        ("depth", np.int32),
        ("rows", np.int32, 2),
        ("nodes", np.int32, 2),
    ],
    align=True,
)

N_NODES, N_FREE, N_CACHES, N_FREE_CACHES = range(4)


class Trees(NamedTuple):
    """The trees of a forest in common arrays; :mod:`skunlearn._kernels.forest.grow` has the types.

    Parameters
    ----------
    nodes, extents, stats : ndarray
        Of the nodes of all trees; `left` counts from the first of all.
    trials, sums : ndarray
        Caches.
    rows : ndarray of shape (n_rows_in_trees,), int32
        Slots of each tree's rows, those of a leaf together; -1 for none. Extents count from the
        tree's first.
    roots : ndarray of shape (n_trees,), int32
    first_row : ndarray of shape (n_trees + 1,), int64
        Where each tree's rows begin.
    keys : ndarray of shape (n_trees,), uint64
        Keys of the roots.
    free : ndarray of shape (n_nodes // 2 + 1,), int32
        Left children of pairs of nodes that are not in use.
    free_caches : ndarray of shape (n_caches,), int32
        Likewise.
    used : ndarray of shape (4,), int64
        Numbers of nodes that ever were in use, of free pairs, and both for caches.
    """

    nodes: np.ndarray
    extents: np.ndarray
    stats: np.ndarray
    trials: np.ndarray
    sums: np.ndarray
    rows: np.ndarray
    roots: np.ndarray
    first_row: np.ndarray
    keys: np.ndarray
    free: np.ndarray
    free_caches: np.ndarray
    used: np.ndarray


class Plan(NamedTuple):
    """What a request does to some trees.

    Parameters
    ----------
    visits : ndarray of shape (n_visits,), VISIT
    leaving : ndarray of shape (n_leaving,), int32
        Rows that leave or join, tree after tree, as the nodes divide them.
    fresh_trials, fresh_sums : ndarray
        New caches of visited nodes.
    grafts : ndarray of shape (n_grafts,), GRAFT
    rows, nodes, extents, stats, trials, sums : ndarray
        Of the new subtrees.
    """

    visits: np.ndarray
    leaving: np.ndarray
    fresh_trials: np.ndarray
    fresh_sums: np.ndarray
    grafts: np.ndarray
    rows: np.ndarray
    nodes: np.ndarray
    extents: np.ndarray
    stats: np.ndarray
    trials: np.ndarray
    sums: np.ndarray


@njit(cache=True)
def take_from_cache(table, row, trials, sums, width, n_grid):
    """Take a row out of a node's sums.

    Returns
    -------
    holds : bool
        False if the range of a feature changes, so that the sums are of no more use.
    """
    labels, targets = table.labels, table.targets
    weights, scales = table.weights, table.scales
    holds = True
    for u in range(trials.size):
        trial = trials[u]
        f, low, high = trial.feature, trial.low, trial.high
        if f < 0:
            break
        at = u * (n_grid + 2) * width
        v = table.values[row * table.row_step + f * table.column_step]
        if v != v:
            trial.n_missing -= 1
            at += (n_grid + 1) * width
            count_in(sums, at, width, row, labels, targets, weights, scales, -1)
        else:
            if table.is_categorical[f]:
                v = np.float32(position_in_order(v, trial.key & NUMBERS))
            trial.n_low -= v == low
            trial.n_high -= v == high
            if low < high:
                step, shift, first = lattice_of(low, high, trial.key, n_grid)
                at += interval_of(v, 1.0 / step, shift, first) * width
            count_in(sums, at, width, row, labels, targets, weights, scales, -1)
        holds &= trial.n_low > 0 and trial.n_high > 0
        holds &= low < high or trial.n_missing > 0
    return holds


@njit(cache=True)
def kept_rows(rows, gone, out):
    """Collect the rows of a segment that stay; returns how many there are."""
    n = 0
    for row in rows:
        if row >= 0 and not (gone.size and gone[row]):
            out[n] = row
            n += 1
    return n


@njit(cache=True)
def choose_without(table, rules, trees, cache, rows, leaving, gone, size, key, space, mine):
    """Choose a node's split as if rows had never been there.

    Parameters
    ----------
    table : Table
    rules : Rules
    trees : Trees
    cache : int
        Position of the node's cache, or none.
    rows, leaving : ndarray, int32
        The node's rows as they stand in its tree, and those that leave.
    gone : ndarray of shape (n_slots,), bool
    size : int
        Number of rows left.
    key : uint64
    space : Space
        With the sums of the rows left in `total`; trials and their sums are left in it.
    mine : ndarray of shape (>= size,), int32
        Working space.

    Returns
    -------
    found, feature, threshold, has_missing
        As from :func:`split_of`.
    known : bool
        Whether the cache could be used.
    """
    width, n_grid = space.total.size, rules.n_candidates
    known = cache >= 0
    if known:
        for u in range(space.trials.size):
            space.trials[u] = trees.trials[cache, u]
        for i in range(space.sums.size):
            space.sums[i] = trees.sums[cache, i]
        for row in leaving:
            known &= take_from_cache(table, row, space.trials, space.sums, width, n_grid)
    if known:
        choice = split_by_sums(table, rules, size, space)
    else:
        kept_rows(rows, gone, mine)
        choice = split_by_rows(table, rules, mine, size, key, space, size > CACHED)
    return *choice, known


@njit(cache=True)
def walk(table, rules, trees, sign, some, first_leaving, leaving, gone, space, mine, stack):
    """Go down the paths of the rows that leave, or join.

    Parameters
    ----------
    table, rules, trees, sign, some, first_leaving, leaving, gone
        As for :func:`plan`.
    space : Space
    mine : ndarray of shape (n_most,), int32
        Like the space for as many rows as any of the trees has.
    stack : ndarray of shape (n_leaving + 2,), STEP

    Returns
    -------
    visits, fresh_trials, fresh_sums, grafts, rows
        As in :class:`Plan`, without the new subtrees.
    """
    table, trees, space, mine = borrowed(table), borrowed(trees), borrowed(space), borrowed(mine)
    leaving, gone = borrowed(leaving), borrowed(gone)
    stack, total, none = borrowed(stack), space.total, np.empty(0, np.bool_)
    width, n_sums = total.size, trees.stats.shape[1]
    visits, n_visits = np.empty(256, VISIT), 0
    grafts, n_grafts = np.empty(16, GRAFT), 0
    rows, n_rows, n_fresh = np.empty(1024, np.int32), 0, 0
    fresh_trials = np.empty((1, space.trials.size), TRIAL)
    fresh_sums = np.empty((1, space.sums.size), space.sums.dtype)
    for tree in range(some[0], some[1]):
        base = trees.first_row[tree]
        stack[0].key, stack[0].node, stack[0].depth = trees.keys[tree], trees.roots[tree], 0
        stack[0].first, stack[0].last = first_leaving[tree], first_leaving[tree + 1]
        top = 1 if stack[0].first < stack[0].last else 0
        while top:
            top -= 1
            key, node, depth = stack[top].key, stack[top].node, stack[top].depth
            first, last = stack[top].first, stack[top].last
            here, cache = trees.nodes[node], trees.extents[node].cache
            is_leaf = here.left == node
            segment = trees.rows[base + trees.extents[node].start : base + trees.extents[node].stop]
            size, mask = trees.extents[node].size + sign * (last - first), gone
            if sign > 0:
                n_mine = kept_rows(segment, none, mine)
                for i in range(first, last):
                    mine[n_mine + i - first] = leaving[i]
                segment, mask, cache = mine[:size], none, NONE
            total[width - 1] = trees.extents[node].size
            for k in range(n_sums):
                total[k] = trees.stats[node, k]
            for i in range(first, last):
                count_in(
                    total,
                    0,
                    width,
                    leaving[i],
                    table.labels,
                    table.targets,
                    table.weights,
                    table.scales,
                    sign,
                )
            found, feature, threshold, has_missing = False, -1, np.float32(np.inf), False
            fresh = KEEP
            if cache != SETTLED and not is_decided(
                table.targets, rules, segment, mask, size, total, n_sums, depth
            ):
                found, feature, threshold, has_missing, known = choose_without(
                    table,
                    rules,
                    trees,
                    cache,
                    segment,
                    leaving[first:last],
                    mask,
                    size,
                    key,
                    space,
                    mine,
                )
                if not found and is_leaf and space.trials[0].feature < 0:
                    fresh = SETTLED
                elif found and not known and size > CACHED:
                    fresh = n_fresh
            same = threshold == here.threshold and (
                feature == here.feature or (feature == ~here.feature and not has_missing)
            )
            if found == is_leaf or (found and not same):
                if n_rows + size > rows.size:
                    rows = enlarged(rows, 2 * (n_rows + size))
                if n_grafts == grafts.size:
                    grafts = enlarged(grafts, 2 * n_grafts)
                graft = grafts[n_grafts]
                graft.node, graft.tree, graft.key, graft.depth = node, tree, key, depth
                graft.rows[0], graft.rows[1] = n_rows, n_rows + size
                n_rows += kept_rows(segment, mask, rows[n_rows:])
                n_grafts += 1
                continue
            if fresh >= 0:
                if n_fresh == fresh_trials.shape[0]:
                    fresh_trials = enlarged(fresh_trials, 2 * n_fresh)
                    fresh_sums = enlarged(fresh_sums, 2 * n_fresh)
                copy_into(fresh_trials, n_fresh, space.trials)
                copy_into(fresh_sums, n_fresh, space.sums)
                n_fresh += 1
            if n_visits == visits.size:
                visits = enlarged(visits, 2 * n_visits)
            visit = visits[n_visits]
            visit.node, visit.tree, visit.first, visit.last = node, tree, first, last
            visit.feature, visit.fresh = feature, fresh
            n_visits += 1
            if is_leaf:
                continue
            middle = divide(table, leaving, first, last, here.feature, threshold, True, space.spare)
            for side in range(1, -1, -1):
                a, b = (first, middle) if side == 0 else (middle, last)
                if a < b:
                    stack[top].key, stack[top].node = child_key(key, side == 0), here.left + side
                    stack[top].depth, stack[top].first, stack[top].last = depth + 1, a, b
                    top += 1
    return (
        visits[:n_visits],
        fresh_trials[:n_fresh],
        fresh_sums[:n_fresh],
        grafts[:n_grafts],
        rows[:n_rows],
    )


@njit(cache=True, nogil=True)
def plan(table, rules, trees, sign, some, first_leaving, leaving, gone, like):
    """Plan how rows leave some trees, or join them.

    Parameters
    ----------
    table : Table
    rules : Rules
    trees : Trees
        Only read.
    sign : int
        -1 if they leave, 1 if they join.
    some : tuple of (int, int)
        Which trees: from one, up to another.
    first_leaving : ndarray of shape (n_trees + 1,), int64
        Where each tree's part of `leaving` begins.
    leaving : ndarray of shape (n_leaving,), int32
        Slots of the rows that leave or join each of them; reordered.
    gone : ndarray of shape (n_slots,), bool
        True for rows that leave.
    like : ndarray of shape (width,)
        As wide as sums over rows, and of their type.

    Returns
    -------
    plan : Plan
    """
    none = np.int64(0)  # of a plain 0 the compiler makes versions of their own of what is called
    longest = none
    for tree in range(some[0], some[1]):
        n_rows = trees.first_row[tree + 1] - trees.first_row[tree]
        longest = max(longest, n_rows + first_leaving[tree + 1] - first_leaving[tree])
    space = space_for(longest, table.is_categorical.size, rules, like)
    mine, steps = np.empty(longest, np.int32), np.empty(leaving.size + 2, STEP)
    visits, fresh_trials, fresh_sums, grafts, rows = walk(
        table, rules, trees, sign, some, first_leaving, leaving, gone, space, mine, steps
    )
    n_most, n_nodes, n_caches, longest = 2 * rows.size + 1, none, none, none
    nodes, extents = np.empty(n_most, NODE), np.empty(n_most, EXTENT)
    stats = np.empty((n_most, trees.stats.shape[1]), like.dtype)
    trials = np.empty((1, rules.max_features), TRIAL)
    sums = np.empty((1, trees.sums.shape[1]), like.dtype)
    for graft in grafts:
        longest = max(longest, graft.rows[1] - graft.rows[0])
    bench = bench_for(longest, table)
    for graft in grafts:
        n_grown, n_caches, trials, sums = grow_into(
            table,
            rules,
            rows[graft.rows[0] : graft.rows[1]],
            graft.key,
            np.int64(graft.depth),
            space,
            bench,
            nodes[n_nodes:],
            extents[n_nodes:],
            stats[n_nodes:],
            trials,
            sums,
            n_caches,
        )
        graft.nodes[0], graft.nodes[1] = n_nodes, n_nodes + n_grown
        n_nodes += n_grown
    return Plan(
        visits,
        leaving,
        fresh_trials,
        fresh_sums,
        grafts,
        rows,
        nodes[:n_nodes],
        extents[:n_nodes],
        stats[:n_nodes],
        trials[:n_caches],
        sums[:n_caches],
    )
