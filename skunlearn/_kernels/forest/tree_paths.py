"""Numba kernels: which leaf of each tree a row falls into, and what the leaves say together."""

from typing import NamedTuple

import numpy as np

from skunlearn._kernels.forest.tree_parts import SQUARED_ERROR, goes_left
from skunlearn._kernels.lean import entry, spelled_out

# Rows that go down a tree side by side, and how many steps they go before those that have arrived
# stay behind.
_BLOCK = 128
_STEPS = 4

# With a row for so many nodes, a tree is read from end to end before rows go down.
_NODES_PER_ROW = 48

# Nodes, and statistics, of which a cache line holds one that is read.
_LINE = 5, 8


def decisive(X: np.ndarray, is_categorical: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """Tell what makes steps longer: which features are categorical, or whether values are missing.

    Without categories it is None: kernels are compiled without them then.
    """
    if is_categorical.any():
        return is_categorical, False
    return None, bool(np.isnan(X).any())


class Block(NamedTuple):
    """Working space for rows that go down a tree side by side.

    Parameters
    ----------
    at, row : ndarray of shape (n_at_once,), uint32
        Where they are; unsigned, as looking for negative indices takes time.
    values, thresholds : ndarray of shape (n_at_once,), float32
        What decides where they go.
    lefts, features, categorical : ndarray of shape (n_at_once,), int32
        Likewise.
    """

    at: np.ndarray
    row: np.ndarray
    values: np.ndarray
    thresholds: np.ndarray
    lefts: np.ndarray
    features: np.ndarray
    categorical: np.ndarray


def block() -> Block:
    """Allocate a block."""
    types = (np.uint32, np.uint32, np.float32, np.float32, np.int32, np.int32, np.int32)
    return Block(*(np.empty(_BLOCK, dtype=dtype) for dtype in types))


@entry
def find_leaves(nodes, root, X, is_categorical, missing, space, leaves):
    """Send rows down one tree.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes,), NODE
    root : int
    X : ndarray of shape (n_rows, n_features), float32
    is_categorical, missing
        As from :func:`decisive`.
    space : Block
    leaves : ndarray of shape (n_rows,), int32
        Receives the nodes at which they end.
    """
    if is_categorical is None:
        go_down(nodes, root, X, missing, space, leaves)
    else:
        go_down_by_category(nodes, root, X, is_categorical, space, leaves)


@spelled_out
def go_down(nodes, root, X, missing, space, leaves):
    """Send rows down one tree where all features are numbers."""
    at, row = space.at, space.row
    for start in range(0, leaves.size, _BLOCK):
        n_moving = min(_BLOCK, leaves.size - start)
        block, ends = X[start : start + n_moving], leaves[start : start + n_moving]
        for i in range(n_moving):
            at[i], row[i] = root, i
        while n_moving:
            moving = row[:n_moving]
            if missing:
                for _ in range(_STEPS):
                    step_with_missing(nodes, block, moving, at)
            else:
                for _ in range(_STEPS):
                    step(nodes, block, moving, at)
            n_moving = leave_behind(nodes, at, row, n_moving, ends)


@spelled_out
def go_down_by_category(nodes, root, X, is_categorical, space, leaves):
    """Send rows down one tree where some features are categorical."""
    at, row = space.at, space.row
    for start in range(0, leaves.size, _BLOCK):
        n_moving = min(_BLOCK, leaves.size - start)
        block, ends = X[start : start + n_moving], leaves[start : start + n_moving]
        for i in range(n_moving):
            at[i], row[i] = root, i
        while n_moving:
            for _ in range(_STEPS):
                step_with_categories(nodes, block, row[:n_moving], at, is_categorical, space)
            n_moving = leave_behind(nodes, at, row, n_moving, ends)


@spelled_out
def leave_behind(nodes, at, row, n_moving, ends):
    """Note where rows are, and go on with those that have not arrived; returns how many."""
    n_left = 0
    for i in range(n_moving):
        here, its = at[i], row[i]
        ends[its] = here
        at[n_left], row[n_left] = here, its
        n_left += np.uint32(nodes[here].left) != here
    return n_left


@spelled_out
def step(nodes, X, rows, at):
    """Go from nodes to their children, or from leaves to themselves, without any branch."""
    for i in range(rows.size):
        node = nodes[at[i]]
        x = X[rows[i], np.uint32(node.feature ^ (node.feature >> np.int32(31)))]
        at[i] = np.uint32(node.left) + np.uint32(x > node.threshold)


@spelled_out
def step_with_missing(nodes, X, rows, at):
    """Go one step where values may be missing."""
    for i in range(rows.size):
        node = nodes[at[i]]
        x = X[rows[i], np.uint32(node.feature ^ (node.feature >> np.int32(31)))]
        right = (x > node.threshold) | ((x != x) & (node.feature >= 0))
        at[i] = np.uint32(node.left) + np.uint32(right)


@spelled_out
def step_with_categories(nodes, X, rows, at, is_categorical, space):
    """Go one step where there may be anything.

    All that decides is read first, so that the processor can work it out for several rows at once.

    Parameters
    ----------
    nodes, X, rows, at, is_categorical
        As for the others.
    space : Block
    """
    values, thresholds, lefts = space.values, space.thresholds, space.lefts
    features, categorical = space.features, space.categorical
    for i in range(rows.size):
        node = nodes[at[i]]
        by = np.uint32(node.feature ^ (node.feature >> np.int32(31)))
        values[i], thresholds[i] = X[rows[i], by], node.threshold
        lefts[i], features[i], categorical[i] = node.left, node.feature, is_categorical[by]
    for i in range(rows.size):
        left = goes_left(values[i], thresholds[i], features[i] < 0, categorical[i])
        at[i] = np.uint32(lefts[i]) + np.uint32(not left)


@entry
def vote(nodes, roots, stats, X, is_categorical, missing, criterion, factors, space, leaves, out):
    """Average what the leaves of all trees say about rows, tree after tree.

    Parameters
    ----------
    nodes, roots, X, is_categorical, missing, space
        As in :func:`find_leaves`, for all trees.
    stats : ndarray of shape (n_nodes, n_sums), int64
    criterion : int
    factors : ndarray of shape (n_classes,) or (n_outputs,), float64
        By which sums are multiplied: weights of classes, or the unit of targets.
    leaves : ndarray of shape (n_rows,), int32
        Working space.
    out : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs), float64
        Receives shares of classes or means of targets; trees without rows do not count.

    Returns
    -------
    seen : int
        Means nothing, but makes sure that :func:`read_through` reads.
    """
    n_rows, n_values = out.shape
    n_voting, seen = 0, 0
    for i in range(n_rows):
        for k in range(n_values):
            out[i, k] = 0.0
    for tree in range(roots.size):
        root = roots[tree]
        if not holds_rows(stats, root):
            continue
        n_voting += 1
        stop = roots[tree + 1] if tree + 1 < roots.size else nodes.size
        if stop - root < _NODES_PER_ROW * n_rows:
            seen += read_through(nodes[root:stop], stats[root:stop])
        if is_categorical is None:
            go_down(nodes, root, X, missing, space, leaves)
        else:
            go_down_by_category(nodes, root, X, is_categorical, space, leaves)
        for i in range(n_rows):
            leaf = np.uint32(leaves[i])
            total = 0.0
            if criterion == SQUARED_ERROR:
                total = np.float64(stats[leaf, n_values])
            else:
                for k in range(n_values):
                    total += factors[k] * stats[leaf, k]
            for k in range(n_values):
                out[i, k] += factors[k] * stats[leaf, k] / total
    for i in range(n_rows):
        for k in range(n_values):
            out[i, k] /= n_voting
    return seen


@spelled_out
def read_through(nodes, stats):
    """Bring nodes that stand side by side into the cache, faster than rows would in their order.

    Most of a tree's nodes stand between its root and the next tree's.
    """
    seen = 0
    for i in range(0, nodes.size, _LINE[0]):
        seen += nodes[i].left
    values = stats.reshape(-1)
    for i in range(0, values.size, _LINE[1]):
        seen += values[i]
    return seen


@spelled_out
def holds_rows(stats, node):
    """Tell whether a node has any weight."""
    total = 0
    for k in range(stats.shape[1]):
        total += stats[node, k] != 0
    return total > 0
