"""Numba kernels: which trees a row is in, where it stands in them, and the order of nodes."""

from typing import Any

import numpy as np

from skunlearn._kernels.forest.tree_parts import mix
from skunlearn._kernels.lean import entry, spelled_out


@spelled_out
def draw_trees(row_hash, n_trees, chosen, taken):
    """Choose distinct trees for a row by its hash (Floyd's sampling)."""
    every = chosen.size == n_trees
    for j in range(n_trees if every else 0):
        chosen[j] = j
    for j in range(0 if every else chosen.size):
        last = n_trees - chosen.size + j
        drawn = mix(row_hash + np.uint64(j)) >> np.uint64(32)
        tree = np.int64((drawn * np.uint64(last + 1)) >> np.uint64(32))
        if taken[tree]:
            tree = last
        taken[tree] = True
        chosen[j] = tree
    for tree in chosen:
        taken[tree] = False


def trees_of_rows(hashes: np.ndarray, n_trees: int, n_per_row: int) -> np.ndarray:
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
    chosen = np.empty((hashes.size, n_per_row), dtype=np.int32)
    draw_for_rows(hashes, n_trees, chosen, np.zeros(n_trees, dtype=bool))
    return chosen


def rows_by_tree(
    id_hashes: np.ndarray, key: Any, rows: np.ndarray, n_trees: int, n_per_row: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose trees for rows by their ids.

    Parameters
    ----------
    id_hashes : ndarray of shape (n_rows,), uint64
        From :func:`skunlearn._samples.hashing.hash_ids`.
    key : uint64
    rows : ndarray of shape (n_rows,), intp
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
    chosen, taken = np.empty(n_per_row, dtype=np.int32), np.zeros(n_trees, dtype=bool)
    in_trees = np.empty(rows.size * n_per_row, dtype=np.int32)
    first = np.zeros(n_trees + 2, dtype=np.int64)
    divide_rows(id_hashes, key, rows, chosen, taken, in_trees, first)
    return in_trees, first[:-1]


@entry
def draw_for_rows(hashes, n_trees, chosen, taken):
    """Choose trees for each row; see :func:`trees_of_rows`."""
    for i in range(hashes.size):
        draw_trees(hashes[i], n_trees, chosen[i], taken)


@entry
def divide_rows(id_hashes, key, rows, chosen, taken, in_trees, first):
    """Count the rows of each tree, then place them; see :func:`rows_by_tree`.

    Parameters
    ----------
    id_hashes, key, rows
        As there.
    chosen : ndarray of shape (n_per_row,), int32
        Working space.
    taken : ndarray of shape (n_trees,), bool
        Likewise, all of it False.
    in_trees : ndarray of shape (n_rows * n_per_row,), int32
        Overwritten.
    first : ndarray of shape (n_trees + 2,), int64
        All of it zero; receives where each tree's rows begin, and at last their number twice.
    """
    # Entry t + 2 counts, then entry t + 1 is where the next row of tree t goes.
    for places in range(2):
        for i in range(rows.size):
            draw_trees(mix(mix(id_hashes[i] ^ key)), taken.size, chosen, taken)
            for tree in chosen:
                if places:
                    in_trees[first[tree + 1]] = rows[i]
                    first[tree + 1] += 1
                else:
                    first[tree + 2] += 1
        if not places:
            for tree in range(taken.size):
                first[tree + 2] += first[tree + 1]


@entry
def number_nodes(trees, tree, numbers, found, stack):
    """Give the nodes of a tree numbers in the order in which growth comes upon them.

    Parameters
    ----------
    trees : Trees
    tree : int
    numbers : ndarray of shape (n_nodes,), int32
        Receives the number of each node in use.
    found : ndarray of shape (n_nodes,), int32
        Receives the nodes in the order of their numbers.
    stack : ndarray of shape (n_nodes,), int32
        Working space.

    Returns
    -------
    n_found : int
    """
    stack[0] = found[0] = trees.roots[tree]
    numbers[found[0]] = 0
    n_found, top = 1, 1
    while top:
        top -= 1
        node = stack[top]
        left = trees.nodes[node].left
        if left == node:
            continue
        for side in range(2):
            numbers[left + side] = n_found + side
            found[n_found + side] = left + side
            stack[top + 1 - side] = left + side
        n_found += 2
        top += 2
    return n_found


@entry
def place_rows(trees, tree, rows, leaves, stack):
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
    stack : ndarray of shape (n_nodes,), int32
        Working space.
    """
    base = trees.first_row[tree]
    root = trees.roots[tree]
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
