"""Trees that know no rows: their splits are hashes, their leaves are positions to count in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skunlearn._samples.hashing import derive_seed, mix64

# Rows that go down all trees side by side.
BLOCK = 4096

# Thresholds are drawn from the middle of a node's interval, this share of it.
_MIDDLE = 0.5

# One split in so many, on a column where values may be missing, asks for just that.
_MISSING_SPLITS = np.uint64(4)


@dataclass(frozen=True)
class PrivateTrees:
    """Complete binary trees, heap after heap; the children of node i are 2i + 1 and 2i + 2.

    Parameters
    ----------
    depth : int
        Splits on the way to a leaf.

    features : ndarray of shape (n_trees, n_nodes), int64
        The column that a node asks for.

    thresholds : ndarray of shape (n_trees, n_nodes), float64
        Larger values go right; infinite where only missing values do.

    missing_right : ndarray of shape (n_trees, n_nodes), bool
        Whether missing values go right.

    n_categories : ndarray of shape (n_features,), int64
        Number of categories of each column; 0 for a numeric one.

    category_right : ndarray of shape (n_trees, n_nodes, n_most_categories), bool
        Whether a category goes right, where the column is categorical.
    """

    depth: int
    features: np.ndarray
    thresholds: np.ndarray
    missing_right: np.ndarray
    n_categories: np.ndarray
    category_right: np.ndarray

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return self.features.shape[0]

    @property
    def n_leaves(self) -> int:
        """Number of leaves of each tree."""
        return 1 << self.depth

    def leaves(self, X: np.ndarray) -> np.ndarray:
        """Find the leaf of each tree that each row falls into.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features), float32 or float64
            Rows; missing values are NaN.

        Returns
        -------
        leaves : ndarray of shape (n_rows, n_trees), int32
            Numbers of leaves, from 0 in each tree.
        """
        out = np.empty((len(X), self.n_trees), dtype=np.int32)
        for start in range(0, len(X), BLOCK):
            out[start : start + BLOCK] = self._descend(X[start : start + BLOCK])
        return out

    def _descend(self, X: np.ndarray) -> np.ndarray:
        X = np.ascontiguousarray(X)
        values = X.ravel()
        row = (np.arange(len(X)) * X.shape[1])[:, None]
        tree = np.arange(self.n_trees) * self.features.shape[1]
        features, thresholds = self.features.ravel(), self.thresholds.ravel()
        special = self.n_categories.any() or np.isnan(X).any()
        node = np.zeros((len(X), self.n_trees), dtype=np.int64)
        for _ in range(self.depth):
            at = node + tree
            value = values[row + features[at]]
            right = value > thresholds[at]
            if special:
                self._send_special(at, value, right)
            node = 2 * node + 1 + right
        return node - (self.n_leaves - 1)

    def _send_special(self, at: np.ndarray, value: np.ndarray, right: np.ndarray) -> None:
        """Correct the way of missing values and categories."""
        missing = np.isnan(value)
        if self.category_right.size:
            n_categories = self.n_categories[self.features.ravel()[at]]
            code = np.where(missing, -1.0, value)
            known = (code >= 0) & (code < n_categories) & (code == np.floor(code))
            positions = np.flatnonzero(known)
            table = self.category_right.reshape(-1, self.category_right.shape[2])
            right.flat[positions] = table[at.flat[positions], code.flat[positions].astype(np.int64)]
            missing |= (n_categories > 0) & ~known
        positions = np.flatnonzero(missing)
        right.flat[positions] = self.missing_right.ravel()[at.flat[positions]]


def grow(
    seed: int,
    n_trees: int,
    depth: int,
    low: np.ndarray,
    high: np.ndarray,
    n_categories: np.ndarray,
    may_miss: np.ndarray,
) -> PrivateTrees:
    """Draw trees: a function of the seed and of what is declared, not of any row.

    Parameters
    ----------
    seed : int

    n_trees, depth : int

    low, high : ndarray of shape (n_features,), float64
        Bounds of the columns.

    n_categories : ndarray of shape (n_features,), int64
        As in :class:`PrivateTrees`.

    may_miss : ndarray of shape (n_features,), bool
        Columns on which some splits ask whether the value is missing.

    Returns
    -------
    trees : PrivateTrees
    """
    n_nodes = (1 << depth) - 1
    keys = np.array([derive_seed(seed, "tree", tree) for tree in range(n_trees)], dtype=np.uint64)
    keys = mix64(keys[:, None] ^ mix64(np.arange(n_nodes, dtype=np.uint64)))
    features = (_numbers(keys, 0) % np.uint64(low.size)).astype(np.int64)
    share = (_numbers(keys, 1) >> np.uint64(11)) * 2.0**-53
    share = 0.5 + _MIDDLE * (share - 0.5)
    for_missing = may_miss[features] & (_numbers(keys, 2) % _MISSING_SPLITS == 0)
    missing_right = (_numbers(keys, 3) & np.uint64(1)).astype(bool) | for_missing
    lows, highs = low[features], high[features]
    thresholds = np.empty((n_trees, n_nodes))
    for level in range(depth):
        nodes = np.arange((1 << level) - 1, (2 << level) - 1)
        for above in range(level):
            path = (nodes + 1) >> (level - above)
            turns_right = ((nodes + 1) >> (level - above - 1)) & 1 == 1
            cut = thresholds[:, path - 1]
            applies = (features[:, path - 1] == features[:, nodes]) & np.isfinite(cut)
            lows[:, nodes] = np.where(applies & turns_right, cut, lows[:, nodes])
            highs[:, nodes] = np.where(applies & ~turns_right, cut, highs[:, nodes])
        drawn = lows[:, nodes] + (highs[:, nodes] - lows[:, nodes]) * share[:, nodes]
        thresholds[:, nodes] = np.where(for_missing[:, nodes], np.inf, drawn)
    codes = np.arange(n_categories.max(), dtype=np.uint64)
    category_right = (mix64(_numbers(keys, 4)[..., None] ^ codes) & np.uint64(1)).astype(bool)
    category_right &= ~for_missing[..., None]
    return PrivateTrees(depth, features, thresholds, missing_right, n_categories, category_right)


def _numbers(keys: np.ndarray, purpose: int) -> np.ndarray:
    """Draw a 64-bit number for each node."""
    return mix64(keys ^ mix64(np.array([purpose], dtype=np.uint64)))


def on_simplex(table: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Find the nearest table without negative numbers that has given sums.

    Parameters
    ----------
    table : ndarray of shape (..., n)

    total : ndarray of shape (...)
        Positive sums over the last axis.

    Returns
    -------
    projected : ndarray of shape (..., n)

    References
    ----------
    Duchi, Shalev-Shwartz, Singer, Chandra: Efficient projections onto the l1-ball for learning in
    high dimensions, ICML 2008, figure 1.
    """
    n = table.shape[-1]
    descending = -np.sort(-table, axis=-1)
    shift = (np.cumsum(descending, axis=-1) - total[..., None]) / np.arange(1, n + 1)
    last = (descending > shift).sum(axis=-1, keepdims=True) - 1
    return np.maximum(table - np.take_along_axis(shift, last, axis=-1), 0.0)


def shares_in_leaves(released: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimate what rows in leaves are like from noisy counts.

    Parameters
    ----------
    released : ndarray of shape (n_trees, n_leaves, n_kinds)
        Noisy counts; every tree has counted rows of the same distribution.

    weight : float
        Of the forest's shares, in rows, where a leaf has few.

    Returns
    -------
    shares : ndarray of shape (n_trees, n_leaves, n_kinds)
        Share of each kind in each leaf.

    overall : ndarray of shape (n_kinds,)
        Share of each kind in the forest.
    """
    totals = np.maximum(released.sum(axis=(0, 1)) / len(released), 1.0)
    overall = totals / totals.sum()
    by_kind: Any = released.transpose(0, 2, 1)
    counts = on_simplex(by_kind, np.broadcast_to(totals, by_kind.shape[:2])).transpose(0, 2, 1)
    sizes = counts.sum(axis=2, keepdims=True)
    return (counts + weight * overall) / (sizes + weight), overall
