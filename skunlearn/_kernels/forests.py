"""Numba kernels: rows leave the trees of a forest.

First it is planned what a request changes, and nothing is touched: along the paths of the removed
rows each node chooses its split anew, as if they had never been there. Where the choice stays, the
node is merely visited; where it changes, a new subtree is grown from the rows that are left. Then
the plan is carried out.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from skunlearn._kernels.splits import (
    add_up,
    choose,
)
from skunlearn._kernels.tree_parts import (
    NUMBERS,
    SQUARED_ERROR,
    TRIAL,
    category_bits,
    child_key,
    count_in,
    goes_left,
    grid_of,
    space_for,
    threshold_at,
)
from skunlearn._kernels.trees import (
    CACHED,
    EXTENT,
    NODE,
    SETTLED,
    enlarged,
    grow,
    is_decided,
)

# A node on the path of removed rows that keeps its split: which rows, in which order of `leaving`;
# by which feature it divides from now on; the place of new sums, KEEP, or a mark for its cache.
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

# A node that gets another subtree: of which tree, and where rows, nodes and caches begin and end.
GRAFT = np.dtype(
    [
        ("node", np.int32),
        ("tree", np.int32),
        ("rows", np.int32, 2),
        ("nodes", np.int32, 2),
        ("caches", np.int32, 2),
    ]
)

N_NODES, N_FREE, N_CACHES, N_FREE_CACHES = range(4)


class Trees(NamedTuple):
    """The trees of a forest in common arrays; see :mod:`skunlearn._kernels.trees` for the types.

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
        Removed rows, tree after tree, as the nodes divide them.
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
def place_of(value, trial, n_grid):
    """Return the interval of a grid that a value falls in, as `add_up` does."""
    if not trial.low < trial.high:
        return 0
    step, origin = grid_of(trial.low, trial.high, trial.key, n_grid)
    place = int(np.float64(value) / step - origin + 1.0)
    place = min(max(place, 0), n_grid)
    while place > 0 and value <= threshold_at(step, origin, place - 1):
        place -= 1
    while place < n_grid and value > threshold_at(step, origin, place):
        place += 1
    return place


@njit(cache=True)
def take_from_cache(table, row, trials, sums):
    """Take a row out of a node's sums.

    Returns
    -------
    holds : bool
        False if the range of a feature changes, so that the sums are of no more use.
    """
    n_grid = sums.shape[1] - 2
    labels, targets = table.labels, table.targets
    weights, scales = table.weights, table.scales
    last = sums.shape[2] - 1
    holds = True
    for u in range(trials.size):
        f = trials[u].feature
        if f < 0:
            break
        v = table.columns[f, row]
        if v != v:
            count_in(sums[u, n_grid + 1], row, labels, targets, weights, scales, -1)
        else:
            trials[u].n_low -= v == trials[u].low
            trials[u].n_high -= v == trials[u].high
            if table.is_categorical[f]:
                bits = category_bits(v, trials[u].key & NUMBERS)
                for j in range(n_grid):
                    if (bits >> np.uint64(j)) & np.uint64(1) != 0:
                        count_in(sums[u, j], row, labels, targets, weights, scales, -1)
            else:
                place = place_of(v, trials[u], n_grid)
                count_in(sums[u, place], row, labels, targets, weights, scales, -1)
        holds &= trials[u].n_low > 0 and trials[u].n_high > 0
        holds &= trials[u].low < trials[u].high or sums[u, n_grid + 1, last] > 0
    return holds


@njit(cache=True)
def kept_rows(rows, start, stop, gone, out):
    """Collect the rows of a segment that stay; returns how many there are."""
    n = 0
    for i in range(start, stop):
        row = rows[i]
        if row >= 0 and not gone[row]:
            out[n] = row
            n += 1
    return n


@njit(cache=True, nogil=True)
def plan(table, rules, trees, chosen, first_leaving, leaving, gone, like):
    """Plan how rows leave some trees.

    Parameters
    ----------
    table : Table
    rules : Rules
    trees : Trees
        Only read.
    chosen : ndarray of shape (n_chosen,), int32
        Which trees.
    first_leaving : ndarray of shape (n_chosen + 1,), int64
        Where each tree's part of `leaving` begins.
    leaving : ndarray of shape (n_leaving,), int32
        Slots of the rows that leave each of them; reordered.
    gone : ndarray of shape (n_slots,), bool
        True for them.
    like : ndarray of shape (n_sums + 1,)
        Of the type in which sums are kept.

    Returns
    -------
    plan : Plan
    gone : ndarray of shape (n_slots,), bool
        True for the removed rows.
    """
    labels, targets = table.labels, table.targets
    weights, scales = table.weights, table.scales
    old_nodes, old_extents, old_stats = trees.nodes, trees.extents, trees.stats
    rows_of_trees = trees.rows
    n_sums = like.size - 1
    shape = (rules.max_features, rules.n_candidates + 2, n_sums + 1)
    visits, n_visits = np.empty(64, VISIT), 0
    fresh_trials, fresh_sums = np.empty((1, shape[0]), TRIAL), np.empty((1, *shape), like.dtype)
    grafts, n_grafts = np.empty(16, GRAFT), 0
    rows, nodes, extents = np.empty(64, np.int32), np.empty(64, NODE), np.empty(64, EXTENT)
    stats = np.empty((64, n_sums), np.int64)
    trials, sums = np.empty((1, shape[0]), TRIAL), np.empty((1, *shape), like.dtype)
    n_fresh, n_rows, n_nodes, n_caches = 0, 0, 0, 0
    longest = 0
    for tree in chosen:
        longest = max(longest, trees.first_row[tree + 1] - trees.first_row[tree])
    space = space_for(longest, table.columns.shape[0], rules.n_candidates)
    mine, spare = np.empty(longest, np.int32), np.empty(leaving.size, np.int32)
    total, parts = np.zeros(n_sums + 1, np.int64), np.zeros((2, n_sums + 1), np.int64)
    here_trials, here_sums = np.empty(shape[0], TRIAL), np.empty(shape, like.dtype)
    stack, keys = np.empty((64, 4), np.int64), np.empty(64, np.uint64)
    for c in range(chosen.size):
        tree = chosen[c]
        base = trees.first_row[tree]
        stack[0, 0], stack[0, 1] = trees.roots[tree], 0
        stack[0, 2], stack[0, 3] = first_leaving[c], first_leaving[c + 1]
        keys[0] = trees.keys[tree]
        top = 1
        while top:
            top -= 1
            node, depth = stack[top, 0], stack[top, 1]
            first, last, key = stack[top, 2], stack[top, 3], keys[top]
            start, stop = old_extents[node].start, old_extents[node].stop
            cache = old_extents[node].cache
            feature, threshold = old_nodes[node].feature, old_nodes[node].threshold
            left = old_nodes[node].left
            is_leaf = left == node
            for k in range(n_sums):
                total[k] = old_stats[node, k]
            total[n_sums] = old_extents[node].size
            for i in range(first, last):
                count_in(total, leaving[i], labels, targets, weights, scales, -1)
            size = total[n_sums]
            n_mine = -1
            if rules.criterion == SQUARED_ERROR:
                n_mine = kept_rows(rows_of_trees, base + start, base + stop, gone, mine)
            fresh = KEEP
            found, new_feature, new_threshold, has_missing = False, -1, np.float32(np.inf), False
            decided = is_decided(targets, rules, mine[: max(n_mine, 0)], total, depth)
            if not decided and cache != SETTLED:
                known = False
                if cache >= 0:
                    here_trials[:] = trees.trials[cache]
                    here_sums[:] = trees.sums[cache]
                    known = True
                    for i in range(first, last):
                        known &= take_from_cache(table, leaving[i], here_trials, here_sums)
                if not known:
                    if n_mine < 0:
                        n_mine = kept_rows(rows_of_trees, base + start, base + stop, gone, mine)
                    add_up(table, rules, mine[:n_mine], key, space, here_trials, here_sums)
                found, new_feature, new_threshold, has_missing = choose(
                    rules,
                    table.is_categorical,
                    table.class_weight,
                    here_trials,
                    here_sums,
                    total,
                    parts,
                )
                if not found and is_leaf and here_trials[0].feature < 0:
                    fresh = SETTLED
                elif found and not known and size > CACHED:
                    fresh = n_fresh
            by = new_feature if new_feature >= 0 else ~new_feature
            same = new_threshold == threshold and (
                new_feature == feature or (new_feature == ~feature and not has_missing)
            )
            stays = not found if is_leaf else found and same
            if stays:
                if fresh >= 0:
                    if n_fresh == fresh_trials.shape[0]:
                        fresh_trials = enlarged(fresh_trials, 2 * n_fresh)
                        fresh_sums = enlarged(fresh_sums, 2 * n_fresh)
                    fresh_trials[n_fresh] = here_trials
                    fresh_sums[n_fresh] = here_sums
                    n_fresh += 1
                if n_visits == visits.size:
                    visits = enlarged(visits, 2 * n_visits)
                visits[n_visits].node, visits[n_visits].tree = node, tree
                visits[n_visits].first, visits[n_visits].last = first, last
                visits[n_visits].feature, visits[n_visits].fresh = new_feature, fresh
                n_visits += 1
                if is_leaf:
                    continue
                column, is_categorical = table.columns[by], table.is_categorical[by]
                middle, n_right = first, 0
                for i in range(first, last):
                    row = leaving[i]
                    if goes_left(column[row], threshold, feature < 0, is_categorical):
                        leaving[middle] = row
                        middle += 1
                    else:
                        spare[n_right] = row
                        n_right += 1
                for i in range(n_right):
                    leaving[middle + i] = spare[i]
                if top + 2 > keys.size:
                    stack, keys = enlarged(stack, 2 * top), enlarged(keys, 2 * top)
                for side in range(1, -1, -1):
                    a, b = (first, middle) if side == 0 else (middle, last)
                    if a < b:
                        stack[top, 0], stack[top, 1] = left + side, depth + 1
                        stack[top, 2], stack[top, 3] = a, b
                        keys[top] = child_key(key, side == 0)
                        top += 1
                continue
            if n_mine < 0:
                n_mine = kept_rows(rows_of_trees, base + start, base + stop, gone, mine)
            if n_rows + n_mine > rows.size:
                rows = enlarged(rows, 2 * (n_rows + n_mine))
            rows[n_rows : n_rows + n_mine] = mine[:n_mine]
            its = grow(table, rules, rows[n_rows : n_rows + n_mine], key, depth, like)
            more_nodes, more_caches = n_nodes + its[0].size, n_caches + its[3].shape[0]
            if more_nodes > nodes.size:
                nodes, extents = enlarged(nodes, 2 * more_nodes), enlarged(extents, 2 * more_nodes)
                stats = enlarged(stats, 2 * more_nodes)
            if more_caches > trials.shape[0]:
                trials, sums = enlarged(trials, 2 * more_caches), enlarged(sums, 2 * more_caches)
            nodes[n_nodes:more_nodes], extents[n_nodes:more_nodes] = its[0], its[1]
            stats[n_nodes:more_nodes] = its[2]
            trials[n_caches:more_caches], sums[n_caches:more_caches] = its[3], its[4]
            if n_grafts == grafts.size:
                grafts = enlarged(grafts, 2 * n_grafts)
            grafts[n_grafts].node, grafts[n_grafts].tree = node, tree
            grafts[n_grafts].rows[0], grafts[n_grafts].rows[1] = n_rows, n_rows + n_mine
            grafts[n_grafts].nodes[0], grafts[n_grafts].nodes[1] = n_nodes, more_nodes
            grafts[n_grafts].caches[0], grafts[n_grafts].caches[1] = n_caches, more_caches
            n_grafts += 1
            n_rows, n_nodes, n_caches = n_rows + n_mine, more_nodes, more_caches
    return Plan(
        visits[:n_visits],
        leaving,
        fresh_trials[:n_fresh],
        fresh_sums[:n_fresh],
        grafts[:n_grafts],
        rows[:n_rows],
        nodes[:n_nodes],
        extents[:n_nodes],
        stats[:n_nodes],
        trials[:n_caches],
        sums[:n_caches],
    )
