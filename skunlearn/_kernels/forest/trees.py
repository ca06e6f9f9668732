"""The trees of a forest in common arrays."""

from typing import NamedTuple

import numpy as np

# What `used` counts.
N_NODES, N_FREE, N_CACHES, N_FREE_CACHES = range(4)


class Trees(NamedTuple):
    """The trees of a forest in common arrays; :mod:`skunlearn._kernels.forest.grow` has the types.

    Parameters
    ----------
    nodes, extents, stats : ndarray
        Of the nodes of all trees; `left` counts from the first of all.
    trials, sums, rivals : ndarray
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
    rivals: np.ndarray
    rows: np.ndarray
    roots: np.ndarray
    first_row: np.ndarray
    keys: np.ndarray
    free: np.ndarray
    free_caches: np.ndarray
    used: np.ndarray
