"""Numba kernels: the plan of a request is carried out; nothing in here can fail."""

import numpy as np
from numba import njit

from skunlearn._kernels.borrowed import borrowed
from skunlearn._kernels.forest.grow import CACHED, NONE, SETTLED, copy_into
from skunlearn._kernels.forest.plan import (
    N_CACHES,
    N_FREE,
    N_FREE_CACHES,
    N_NODES,
    take_from_cache,
)
from skunlearn._kernels.forest.tree_parts import count_in


@njit(cache=True)
def drop_cache(trees, node):
    """Overwrite and release a node's sums."""
    cache = trees.extents[node].cache
    if cache >= 0:
        for u in range(trees.trials.shape[1]):
            trees.trials[cache, u].key = 0
            trees.trials[cache, u].feature = -1
            trees.trials[cache, u].low = trees.trials[cache, u].high = 0
            trees.trials[cache, u].n_low = trees.trials[cache, u].n_high = 0
            trees.trials[cache, u].n_missing = 0
        for i in range(trees.sums.shape[1]):
            trees.sums[cache, i] = 0
        trees.free_caches[trees.used[N_FREE_CACHES]] = cache
        trees.used[N_FREE_CACHES] += 1
    trees.extents[node].cache = NONE


@njit(cache=True)
def keep_cache(trees, node, trials, sums):
    """Store a node's sums."""
    cache = trees.extents[node].cache
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


@njit(cache=True)
def clear_below(trees, node, stack):
    """Overwrite and release all nodes below one."""
    drop_cache(trees, node)
    if trees.nodes[node].left == node:
        return
    stack[0] = node
    top = 1
    while top:
        top -= 1
        left = trees.nodes[stack[top]].left
        if stack[top] != node:
            clear(trees, stack[top])
        for child in range(left, left + 2):
            if trees.nodes[child].left == child:
                clear(trees, child)
            else:
                stack[top] = child
                top += 1
        trees.free[trees.used[N_FREE]] = left
        trees.used[N_FREE] += 1


@njit(cache=True)
def clear(trees, node):
    """Overwrite one node."""
    drop_cache(trees, node)
    trees.nodes[node].threshold, trees.nodes[node].feature, trees.nodes[node].left = 0.0, 0, 0
    trees.extents[node].start, trees.extents[node].stop, trees.extents[node].size = 0, 0, 0
    for k in range(trees.stats.shape[1]):
        trees.stats[node, k] = 0


@njit(cache=True)
def carry_out(table, trees, plan, gone, sign):
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
    """
    table, trees, plan, gone = borrowed(table), borrowed(trees), borrowed(plan), borrowed(gone)
    labels, targets = table.labels, table.targets
    weights, scales = table.weights, table.scales
    n_sums = trees.stats.shape[1]
    width = n_sums if labels.size and not weights.size else n_sums + 1
    n_grid = trees.sums.shape[1] // (width * trees.trials.shape[1]) - 2
    change = np.zeros(width, np.int64)
    for visit in plan.visits:
        node = visit.node
        for k in range(width):
            change[k] = 0
        for i in range(visit.first, visit.last):
            row = plan.leaving[i]
            count_in(change, 0, width, row, labels, targets, weights, scales, sign)
        for k in range(n_sums):
            trees.stats[node, k] += change[k]
        trees.extents[node].size += sign * (visit.last - visit.first)
        cache = trees.extents[node].cache
        if visit.fresh == SETTLED:
            trees.extents[node].cache = SETTLED
        elif visit.fresh >= 0:
            keep_cache(trees, node, plan.fresh_trials[visit.fresh], plan.fresh_sums[visit.fresh])
        elif cache >= 0 and trees.extents[node].size <= CACHED:
            drop_cache(trees, node)
        elif cache >= 0:
            for i in range(visit.first, visit.last):
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
        node, start = graft.node, trees.extents[graft.node].start
        stack = np.empty(trees.extents[node].stop - start + 2, np.int32)
        clear_below(trees, node, stack)
        if sign < 0:
            base = trees.first_row[graft.tree] + start
            n_rows = graft.rows[1] - graft.rows[0]
            for i in range(n_rows):
                trees.rows[base + i] = plan.rows[graft.rows[0] + i]
            for i in range(base + n_rows, trees.first_row[graft.tree] + trees.extents[node].stop):
                trees.rows[i] = -1
        n_nodes = graft.nodes[1] - graft.nodes[0]
        positions = np.empty(n_nodes, np.int32)
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
            new, at = plan.nodes[graft.nodes[0] + i], positions[i]
            extent = plan.extents[graft.nodes[0] + i]
            trees.nodes[at].threshold, trees.nodes[at].feature = new.threshold, new.feature
            trees.nodes[at].left = positions[new.left]
            if i:
                trees.extents[at].start = extent.start + start
                trees.extents[at].stop = extent.stop + start
            trees.extents[at].size = extent.size
            trees.extents[at].cache = min(extent.cache, NONE)
            copy_into(trees.stats, at, plan.stats[graft.nodes[0] + i])
            if extent.cache >= 0:
                keep_cache(trees, at, plan.trials[extent.cache], plan.sums[extent.cache])
