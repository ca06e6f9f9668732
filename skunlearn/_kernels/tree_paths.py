"""Numba kernels: which leaf of each tree a row falls into, and what the leaves say together."""

import numpy as np
from numba import njit

from skunlearn._kernels.tree_parts import SQUARED_ERROR, goes_left

# Rows that go down a tree side by side.
_BLOCK = 256


@njit(cache=True, nogil=True)
def find_leaves(nodes, root, X, is_categorical, leaves):
    """Send rows down one tree.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes,), NODE
    root : int
    X : ndarray of shape (n_rows, n_features), float32
    is_categorical : ndarray of shape (n_features,), bool
    leaves : ndarray of shape (n_rows,), int32
        Receives the nodes at which they end.
    """
    leaves[:] = root
    moving = True
    while moving:
        moving = False
        for i in range(leaves.size):
            at = leaves[i]
            node = nodes[at]
            feature = node.feature
            nan_left = feature < 0
            by = ~feature if nan_left else feature
            left = goes_left(X[i, by], node.threshold, nan_left, is_categorical[by])
            to = node.left + (0 if left else 1)
            moving |= to != at
            leaves[i] = to


@njit(cache=True, nogil=True)
def vote(nodes, roots, stats, X, is_categorical, criterion, factors, out):
    """Average what the leaves of all trees say about rows.

    Parameters
    ----------
    nodes, roots, X, is_categorical
        As in :func:`find_leaves`, for all trees.
    stats : ndarray of shape (n_nodes, n_sums), int64
    criterion : int
    factors : ndarray of shape (n_classes,) or (n_outputs,), float64
        By which sums are multiplied: weights of classes, or the unit of targets.
    out : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs), float64
        Receives shares of classes or means of targets; trees without rows do not count.
    """
    n_values = out.shape[1]
    leaves = np.empty(_BLOCK, np.int32)
    n_voting = 0
    for root in roots:
        n_voting += holds_rows(stats, root)
    for start in range(0, X.shape[0], _BLOCK):
        stop = min(start + _BLOCK, X.shape[0])
        out[start:stop] = 0.0
        for root in roots:
            if not holds_rows(stats, root):
                continue
            find_leaves(nodes, root, X[start:stop], is_categorical, leaves[: stop - start])
            for i in range(start, stop):
                leaf = leaves[i - start]
                total = 0.0
                if criterion == SQUARED_ERROR:
                    total = np.float64(stats[leaf, n_values])
                else:
                    for k in range(n_values):
                        total += factors[k] * stats[leaf, k]
                for k in range(n_values):
                    out[i, k] += factors[k] * stats[leaf, k] / total
        for i in range(start, stop):
            for k in range(n_values):
                out[i, k] /= n_voting


@njit(cache=True)
def holds_rows(stats, node):
    """Tell whether a node has any weight."""
    total = 0
    for k in range(stats.shape[1]):
        total += stats[node, k] != 0
    return total > 0
