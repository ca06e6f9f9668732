"""Numba kernels: which trees a row is in, where it stands in them, and the order of nodes."""

import numpy as np
from numba import njit

from skunlearn._kernels.forest.grow import enlarged
from skunlearn._kernels.forest.tree_parts import mix


@njit(cache=True)
def draw_trees(row_hash, n_trees, chosen, taken):
    """Choose distinct trees for a row by its hash (Floyd's sampling)."""
    if chosen.size == n_trees:
        for j in range(n_trees):
            chosen[j] = j
        return
    for j in range(chosen.size):
        last = n_trees - chosen.size + j
        drawn = mix(row_hash + np.uint64(j)) >> np.uint64(32)
        tree = np.int64((drawn * np.uint64(last + 1)) >> np.uint64(32))
        if taken[tree]:
            tree = last
        taken[tree] = True
        chosen[j] = tree
    for tree in chosen:
        taken[tree] = False


@njit(cache=True)
def trees_of_rows(hashes, n_trees, n_per_row):
    """Choose distinct trees for each row by its hash.

    Parameters
    ----------
    hashes : ndarray of shape (n_rows,), uint64
    n_trees, n_per_row : int

    Returns
    -------
    trees : ndarray of shape (n_rows, n_per_row), int32
        Not in order.
    """
    chosen, taken = np.empty((hashes.size, n_per_row), np.int32), np.zeros(n_trees, np.bool_)
    for i in range(hashes.size):
        draw_trees(hashes[i], n_trees, chosen[i], taken)
    return chosen


@njit(cache=True)
def rows_by_tree(id_hashes, key, rows, n_trees, n_per_row):
    """Choose trees for rows by their ids.

    Parameters
    ----------
    id_hashes : ndarray of shape (n_rows,), uint64
        From :func:`skunlearn._samples.hashing.hash_ids`.
    key : uint64
    rows : ndarray of shape (n_rows,), integer
        Slots.
    n_trees, n_per_row : int
        A row is in `n_per_row` of them.

    Returns
    -------
    in_trees : ndarray of shape (n_rows * n_per_row,), int32
        Rows, tree after tree.
    first : ndarray of shape (n_trees + 1,), int64
        Where each tree's rows begin.
    """
    chosen, taken = np.empty(n_per_row, np.int32), np.zeros(n_trees, np.bool_)
    first, position = np.zeros(n_trees + 1, np.int64), np.zeros(n_trees, np.int64)
    for i in range(rows.size):
        draw_trees(mix(mix(id_hashes[i] ^ key)), n_trees, chosen, taken)
        for tree in chosen:
            first[tree + 1] += 1
    for tree in range(n_trees):
        first[tree + 1] += first[tree]
        position[tree] = first[tree]
    in_trees = np.empty(rows.size * n_per_row, np.int32)
    for i in range(rows.size):
        draw_trees(mix(mix(id_hashes[i] ^ key)), n_trees, chosen, taken)
        for tree in chosen:
            in_trees[position[tree]] = rows[i]
            position[tree] += 1
    return in_trees, first


@njit(cache=True, nogil=True)
def number_nodes(trees, tree, numbers, found):
    """Give the nodes of a tree numbers in the order in which growth comes upon them.

    Parameters
    ----------
    trees : Trees
    tree : int
    numbers : ndarray of shape (n_nodes,), int32
        Receives the number of each node in use.
    found : ndarray of shape (n_nodes,), int32
        Receives the nodes in the order of their numbers.

    Returns
    -------
    n_found : int
    """
    stack = np.empty(64, np.int32)
    stack[0] = found[0] = trees.roots[tree]
    numbers[found[0]] = 0
    n_found, top = 1, 1
    while top:
        top -= 1
        node = stack[top]
        left = trees.nodes[node].left
        if left == node:
            continue
        if top + 2 > stack.size:
            stack = enlarged(stack, 2 * top + 2)
        for side in range(2):
            numbers[left + side] = n_found + side
            found[n_found + side] = left + side
            stack[top + 1 - side] = left + side
        n_found += 2
        top += 2
    return n_found


@njit(cache=True, nogil=True)
def place_rows(trees, tree, rows, leaves):
    """Say where a tree's rows stand, given the leaf of each.

    Parameters
    ----------
    trees : Trees
        The tree's extents and rows are overwritten, its sizes are read.
    tree : int
    rows : ndarray of shape (n_rows,), int32
        Slots of the tree's rows.
    leaves : ndarray of shape (n_rows,), int32
        The node at which each ends.
    """
    base = trees.first_row[tree]
    root = trees.roots[tree]
    stack = np.empty(rows.size + 2, np.int32)
    stack[0] = root
    trees.extents[root].start, trees.extents[root].stop = 0, rows.size
    top = 1
    while top:
        top -= 1
        node = stack[top]
        left = trees.nodes[node].left
        start = trees.extents[node].start
        if left == node:
            trees.extents[node].stop = start
            continue
        middle = start + trees.extents[left].size
        trees.extents[left].start, trees.extents[left].stop = start, middle
        trees.extents[left + 1].start = middle
        trees.extents[left + 1].stop = trees.extents[node].stop
        stack[top], stack[top + 1] = left + 1, left
        top += 2
    for i in range(rows.size):
        leaf = leaves[i]
        trees.rows[base + trees.extents[leaf].stop] = rows[i]
        trees.extents[leaf].stop += 1
