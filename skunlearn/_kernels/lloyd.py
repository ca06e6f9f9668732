"""Lloyd's iterations with centres on a lattice, and how rows are taken out of finished ones.

An iteration ``t`` is described by its centres and by the exact sums, in the layout of
:mod:`skunlearn._kernels.counts`, of the rows nearest to each. The centres of the next are the means,
rounded to a lattice: as long as no mean crosses into another cell, fewer rows give the same ones.

References
----------
Ginart, Guan, Valiant, Zou: Making AI forget you: data deletion in machine learning, NeurIPS 2019,
algorithm 1 (Q-k-means).
"""

import numpy as np
from numba import njit

from skunlearn._kernels.counts import carry, cut, to_floats


@njit(cache=True)
def nearest_to(X, row, centers, gaps):
    """Find the nearest centre of one row; the first of equally near ones.

    Parameters
    ----------
    X : ndarray of shape (n_slots, n_features)
    row : int
    centers : ndarray of shape (n_features, n_clusters), float64
        Transposed, so that the inner loop is over centres and sums keep their order.
    gaps : ndarray of shape (n_clusters,), float64
        Scratch.

    Returns
    -------
    label : int
    gap : float
        Squared distance.
    """
    n_features, n_clusters = centers.shape
    gaps[:] = 0.0
    for j in range(n_features):
        x = np.float64(X[row, j])
        for c in range(n_clusters):
            step = x - centers[j, c]
            gaps[c] += step * step
    label = 0
    for c in range(1, n_clusters):
        if gaps[c] < gaps[label]:
            label = c
    return label, gaps[label]


@njit(cache=True)
def nearest(X, rows, centers):
    """Find the nearest centre of each of some rows.

    Parameters
    ----------
    X : ndarray of shape (n_slots, n_features)
    rows : ndarray of shape (n_rows,), intp
    centers : ndarray of shape (n_features, n_clusters), float64

    Returns
    -------
    labels : ndarray of shape (n_rows,), intp
    gaps : ndarray of shape (n_rows,), float64
        Squared distances.
    """
    labels = np.empty(rows.size, dtype=np.intp)
    gaps = np.empty(rows.size)
    scratch = np.empty(centers.shape[1])
    for place in range(rows.size):
        labels[place], gaps[place] = nearest_to(X, rows[place], centers, scratch)
    return labels, gaps


@njit(cache=True)
def gaps_before(X, rows, seeds):
    """Compute squared distances to the nearest of the earlier seeds, before each seed.

    Parameters
    ----------
    X : ndarray of shape (n_slots, n_features)
    rows : ndarray of shape (n_rows,), intp
    seeds : ndarray of shape (n_seeds, n_features), float64

    Returns
    -------
    gaps : ndarray of shape (n_seeds, n_rows), float64
        Ones before the first seed.
    """
    gaps = np.ones((seeds.shape[0], rows.size))
    for place in range(rows.size):
        least = np.inf
        for turn in range(1, seeds.shape[0]):
            gap = 0.0
            for j in range(seeds.shape[1]):
                step = np.float64(X[rows[place], j]) - seeds[turn - 1, j]
                gap += step * step
            least = min(least, gap)
            gaps[turn, place] = least
    return gaps


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
    n_iter, n_clusters, n_features = path.shape[0] - 1, path.shape[1], path.shape[2]
    scratch = np.empty(n_clusters)
    for t in range(n_iter):
        centers = path[t].T.copy()
        for row in rows:
            label, _ = nearest_to(X, row, centers, scratch)
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
