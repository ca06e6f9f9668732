"""Numba kernels: the plan of a request is carried out; nothing in here can fail."""

import numpy as np

from skunlearn._kernels.forest.grow import CACHED, NONE, SETTLED, copy_into
from skunlearn._kernels.forest.plan import take_from_cache
from skunlearn._kernels.forest.tree_parts import add_rows
from skunlearn._kernels.forest.trees import N_CACHES, N_FREE, N_FREE_CACHES, N_NODES
from skunlearn._kernels.lean import entry, part, spelled_out


@part
def drop_cache(trees, node, nothing):
    """Overwrite and release a node's sums."""
    cache = np.int64(trees.extents[node].cache)
    if cache >= 0:
        copy_into(trees.trials, cache, nothing)
        for i in range(trees.sums.shape[1]):
            trees.sums[cache, i] = 0
        trees.rivals[cache] = 0.0
        trees.free_caches[trees.used[N_FREE_CACHES]] = cache
        trees.used[N_FREE_CACHES] += 1
    trees.extents[node].cache = NONE


@part
def keep_cache(trees, node, trials, sums, rival):
    """Store a node's sums."""
    cache = np.int64(trees.extents[node].cache)
    if cache < 0:
        if trees.used[N_FREE_CACHES]:
            trees.used[N_FREE_CACHES] -= 1
            cache = trees.free_caches[trees.used[N_FREE_CACHES]]
        else:
            cache = trees.used[N_CACHES]
            trees.used[N_CACHES] += 1
        trees.extents[node].cache = cache
    copy_into(trees.trials, cache, trials)
    copy_into(trees.sums, cache, sums)
    trees.rivals[cache] = rival


@spelled_out
def clear_below(trees, node, nothing, stack):
    """Overwrite and release all nodes below one."""
    drop_cache(trees, node, nothing)
    stack[0] = node
    top = np.int64(0 if trees.nodes[node].left == node else 1)
    while top:
        top -= 1
        left = np.int64(trees.nodes[stack[top]].left)
        if stack[top] != node:
            clear(trees, np.int64(stack[top]), nothing)
        for child in range(left, left + 2):
            if trees.nodes[child].left == child:
                clear(trees, child, nothing)
            else:
                stack[top] = child
                top += 1
        trees.free[trees.used[N_FREE]] = left
        trees.used[N_FREE] += 1


@part
def clear(trees, node, nothing):
    """Overwrite one node."""
    drop_cache(trees, node, nothing)
    trees.nodes[node].threshold, trees.nodes[node].feature, trees.nodes[node].left = 0.0, 0, 0
    trees.extents[node].start, trees.extents[node].stop, trees.extents[node].size = 0, 0, 0
    for k in range(trees.stats.shape[1]):
        trees.stats[node, k] = 0


@entry
def carry_out(table, trees, plan, gone, sign, nothing, change, stack, positions):
    """Carry out a plan; there must be room for the new nodes and caches.

    Parameters
    ----------
    table : Table
        With the rows that leave or join in it.
    trees : Trees
        Changed; where rows join, it is unknown from then on where rows stand.
    plan : Plan
    gone : ndarray of shape (n_slots,), bool
        True for rows that leave.
    sign : int
        -1 if they leave, 1 if they join.
    nothing : ndarray of shape (max_features,), TRIAL
        All of it zero.
    change : ndarray of shape (width,), int64
        Working space, like the next two.
    stack : ndarray of shape (n_nodes,), int32
    positions : ndarray of shape (n_new_nodes,), int32
    """
    n_sums, width, grown = trees.stats.shape[1], change.size, plan.grown
    n_grid = trees.sums.shape[1] // (width * trees.trials.shape[1]) - 2
    for visit in plan.visits:
        node = np.int64(visit.node)
        for k in range(width):
            change[k] = 0
        first, last = np.int64(visit.first), np.int64(visit.last)
        add_rows(change, table, plan.leaving, first, last, sign)
        for k in range(n_sums):
            trees.stats[node, k] += change[k]
        trees.extents[node].size += sign * (last - first)
        cache = np.int64(trees.extents[node].cache)
        if visit.fresh == SETTLED:
            trees.extents[node].cache = SETTLED
        elif visit.fresh >= 0:
            trials, sums = plan.fresh_trials[visit.fresh], plan.fresh_sums[visit.fresh]
            keep_cache(trees, node, trials, sums, visit.rival)
        elif cache >= 0 and trees.extents[node].size <= CACHED:
            drop_cache(trees, node, nothing)
        elif cache >= 0:
            trees.rivals[cache] = visit.rival
            for i in range(first, last):
                take_from_cache(
                    table,
                    plan.leaving[i],
                    trees.trials[cache],
                    trees.sums[cache],
                    width,
                    n_grid,
                )
        if trees.nodes[node].left != node:
            trees.nodes[node].feature = visit.feature
        if sign > 0 or trees.nodes[node].left != node:
            continue
        base, extent = trees.first_row[visit.tree], trees.extents[node]
        kept = base + extent.start
        for i in range(base + extent.start, base + extent.stop):
            row = trees.rows[i]
            trees.rows[i] = -1
            if row >= 0 and not gone[row]:
                trees.rows[kept] = row
                kept += 1
    for graft in plan.grafts:
        node = np.int64(graft.node)
        start = trees.extents[node].start
        clear_below(trees, node, nothing, stack)
        if sign < 0:
            base = trees.first_row[graft.tree] + start
            n_rows = graft.last_row - graft.first_row
            for i in range(n_rows):
                trees.rows[base + i] = plan.rows[graft.first_row + i]
            for i in range(base + n_rows, trees.first_row[graft.tree] + trees.extents[node].stop):
                trees.rows[i] = -1
        n_nodes = graft.last_node - graft.first_node
        positions[0] = node
        for i in range(1, n_nodes, 2):
            if trees.used[N_FREE]:
                trees.used[N_FREE] -= 1
                positions[i] = trees.free[trees.used[N_FREE]]
            else:
                positions[i] = trees.used[N_NODES]
                trees.used[N_NODES] += 2
            positions[i + 1] = positions[i] + 1
        for i in range(n_nodes):
            number, at = np.int64(graft.first_node + i), np.int64(positions[i])
            new, extent = grown.nodes[number], grown.extents[number]
            trees.nodes[at].threshold, trees.nodes[at].feature = new.threshold, new.feature
            trees.nodes[at].left = positions[new.left]
            if i:
                trees.extents[at].start = extent.start + start
                trees.extents[at].stop = extent.stop + start
            trees.extents[at].size = extent.size
            trees.extents[at].cache = min(extent.cache, NONE)
            copy_into(trees.stats, at, grown.stats[number])
            if extent.cache >= 0:
                trials, sums = grown.trials[extent.cache], grown.sums[extent.cache]
                keep_cache(trees, at, trials, sums, grown.rivals[extent.cache])
