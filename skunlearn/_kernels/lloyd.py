"""Lloyd's iterations with centres on a lattice, and how rows are taken out of finished ones.

An iteration ``t`` is described by its centres and by the exact sums, in the layout of
:mod:`skunlearn._kernels.counts`, of the rows nearest to each. The centres of the next are the
means, rounded to a lattice: as long as no mean crosses into another cell, fewer rows give the same.

References
----------
Ginart, Guan, Valiant, Zou: Making AI forget you: data deletion in machine learning, NeurIPS 2019,
algorithm 1 (Q-k-means).
"""

import numpy as np
from numba import njit

from skunlearn._kernels.counts import carry, cut, to_floats

BLOCK = 128


@njit(cache=True)
def gaps_to(X, rows, points):
    """Compute the squared distances of some rows to points.

    Parameters
    ----------
    X : ndarray of shape (n_slots, n_features)
    rows : ndarray of shape (n_rows,), intp
    points : ndarray of shape (n_points, n_features), float64

    Returns
    -------
    gaps : ndarray of shape (n_points, n_rows), float64
        Each summed up in the order of features, whatever the other rows and points.
    """
    n_points, n_features = points.shape
    gaps = np.zeros((n_points, rows.size))
    block = np.empty((n_features, BLOCK))
    gap = np.empty(BLOCK)
    for start in range(0, rows.size, BLOCK):
        size = min(BLOCK, rows.size - start)
        for position in range(size):
            row = rows[start + position]
            for j in range(n_features):
                block[j, position] = X[row, j]
        for c in range(n_points):
            gap[:] = 0.0
            for j in range(n_features):
                x = points[c, j]
                for position in range(size):
                    step = block[j, position] - x
                    gap[position] += step * step
            gaps[c, start : start + size] = gap[:size]
    return gaps


@njit(cache=True)
def nearest(X, rows, centers):
    """Find the nearest centre of each of some rows; the first of equally near ones.

    Parameters
    ----------
    X : ndarray of shape (n_slots, n_features)
    rows : ndarray of shape (n_rows,), intp
    centers : ndarray of shape (n_clusters, n_features), float64

    Returns
    -------
    labels : ndarray of shape (n_rows,), intp
    gaps : ndarray of shape (n_rows,), float64
        Squared distances.
    """
    labels = np.zeros(rows.size, dtype=np.intp)
    least = np.empty(rows.size)
    for start in range(0, rows.size, BLOCK):
        gaps = gaps_to(X, rows[start : start + BLOCK], centers)
        stop = start + gaps.shape[1]
        least[start:stop] = gaps[0]
        for c in range(1, centers.shape[0]):
            for position in range(start, stop):
                nearer = gaps[c, position - start] < least[position]
                labels[position] = c if nearer else labels[position]
                least[position] = gaps[c, position - start] if nearer else least[position]
    return labels, least


@njit(cache=True)
def next_centers(totals, centers, quantum, phase):
    """Round means to the lattice of points ``quantum * (z + phase)`` with integer z.

    Parameters
    ----------
    totals : ndarray of shape (3, n_clusters, n_features + 1), int64
        Sums of the rows of each cluster; the last column counts them.
    centers : ndarray of shape (n_clusters, n_features), float64
        What a cluster without rows keeps.
    quantum : float
    phase : ndarray of shape (n_features,), float64
        In [0, 1).

    Returns
    -------
    rounded : ndarray of shape (n_clusters, n_features), float64
    """
    sums, counts = to_floats(totals)
    rounded = centers.copy()
    for c in range(counts.size):
        if counts[c] > 0.0:
            for j in range(phase.size):
                cell = np.floor(sums[c, j] / counts[c] / quantum - phase[j] + 0.5)
                rounded[c, j] = quantum * (cell + phase[j])
    return rounded


@njit(cache=True)
def take_out(path, totals, X, rows, quantum, phase):
    """Take rows out of the iterations up to the first whose result they change.

    Parameters
    ----------
    path : ndarray of shape (n_iter + 1, n_clusters, n_features), float64
        The centres of each iteration and, in the end, the result.
    totals : ndarray of shape (n_iter, 3, n_clusters, n_features + 1), int64
    X : ndarray of shape (n_slots, n_features)
    rows : ndarray of shape (n_rows,), intp
    quantum, phase
        As in `next_centers`.

    Returns
    -------
    left : ndarray of shape (n_iter, 3, n_clusters, n_features + 1), int64
        New totals, of which the first `n_valid` count.
    n_valid : int
        How many centres of the path are still right.
    """
    left = totals.copy()
    n_iter, n_features = path.shape[0] - 1, path.shape[2]
    for t in range(n_iter):
        labels, _ = nearest(X, rows, path[t])
        for position in range(rows.size):
            row, label = rows[position], labels[position]
            for j in range(n_features + 1):
                whole, middle, low = cut(np.float64(X[row, j]) if j < n_features else 1.0)
                left[t, 0, label, j] -= np.int64(whole)
                left[t, 1, label, j] -= np.int64(middle)
                left[t, 2, label, j] -= np.int64(low)
            carry(left[t], label)
        after = next_centers(left[t], path[t], quantum, phase)
        if not np.array_equal(after, path[t + 1]):
            return left, t + 1
    return left, n_iter + 1
