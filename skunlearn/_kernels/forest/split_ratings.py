"""Numba kernels: how good the candidates for a node's split are."""

import numpy as np

from skunlearn._kernels.forest.tree_parts import ENTROPY, GINI, SQUARED_ERROR
from skunlearn._kernels.lean import part, spelled_out


@spelled_out
def merit(parts, which, total, n_sums, criterion, class_weight):
    """Rate a division into ``parts[which]`` and the rest of `total`; the larger, the purer."""
    left, right, merit_left, merit_right = 0.0, 0.0, 0.0, 0.0
    by_class = criterion != SQUARED_ERROR
    for k in range(n_sums if by_class else n_sums - 1):
        factor = class_weight[k] if by_class else 1.0
        a = factor * np.float64(parts[which, k])
        b = factor * np.float64(total[k] - parts[which, k])
        left += a
        right += b
        if criterion == ENTROPY:
            merit_left += a * np.log(a) if a > 0.0 else 0.0
            merit_right += b * np.log(b) if b > 0.0 else 0.0
        else:
            merit_left += a * a
            merit_right += b * b
    if criterion == ENTROPY:
        return merit_left - left * np.log(left) + merit_right - right * np.log(right)
    if not by_class:
        left = np.float64(parts[which, n_sums - 1])
        right = np.float64(total[n_sums - 1] - parts[which, n_sums - 1])
    return (merit_left * right + merit_right * left) / (left * right)


@spelled_out
def is_perfect(parts, which, total, n_sums):
    """Tell whether a division leaves one class on each side."""
    n_left, n_right = 0, 0
    for k in range(n_sums):
        n_left += parts[which, k] != 0
        n_right += parts[which, k] != total[k]
    return n_left <= 1 and n_right <= 1


@part
def rate_two_classes(sums, ratings, total, class_weight, size, min_samples_leaf, score):
    """Find the best of the candidates of two classes without weights of rows.

    All are rated, those that divide nothing as well, which is faster than to tell them apart.

    Parameters
    ----------
    sums : ndarray of shape (>= 2 * n_candidates,)
        Counts of both classes in each interval.
    ratings : ndarray of shape (3, n_candidates), float64
        Overwritten.
    total : ndarray of shape (2,), int64
    class_weight : ndarray of shape (2,), float64
    size : int
        The node's number of rows.
    min_samples_leaf : int
    score : float
        What is to be exceeded.

    Returns
    -------
    score : float
        Infinite if there is one class on each side.
    best : int
        The first of the best candidates, or -1.
    """
    lefts0, lefts1, merits = ratings[0], ratings[1], ratings[2]
    w0, w1, n0, n1 = class_weight[0], class_weight[1], np.float64(total[0]), np.float64(total[1])
    a, b, best = np.int64(0), np.int64(0), np.int64(-1)
    for j in range(merits.size):
        more0, more1 = sums[2 * j], sums[2 * j + 1]
        a += more0
        b += more1
        lefts0[j], lefts1[j], merits[j] = a, b, more0 + more1
    least, most = np.float64(min_samples_leaf), np.float64(size - min_samples_leaf)
    for j in range(merits.size):
        l0, l1 = lefts0[j], lefts1[j]
        a0, a1 = w0 * l0, w1 * l1
        b0, b1 = w0 * (n0 - l0), w1 * (n1 - l1)
        left, right = a0 + a1, b0 + b1
        here = ((a0 * a0 + a1 * a1) * right + (b0 * b0 + b1 * b1) * left) / (left * right)
        here = np.inf if ((l0 == 0.0) | (l1 == 0.0)) & ((l0 == n0) | (l1 == n1)) else here
        divides = (merits[j] > 0.0) & (l0 + l1 >= least) & (l0 + l1 <= most)
        merits[j] = here if divides else -np.inf
    for j in range(merits.size):
        if merits[j] > score:
            score, best = merits[j], j
    return score, best


@part
def rate_any(table, rules, space, u, size, score):
    """Go through the candidates of a trial, whatever there is to sum; see :func:`rate`."""
    class_weight, total, parts, sums = table.class_weight, space.total, space.parts, space.sums
    plain = table.labels.size > 0 and table.weights.size == 0
    trial = space.trials[u]
    n_missing, varies = trial.n_missing, trial.low < trial.high
    n_grid, criterion, width = rules.n_candidates, rules.criterion, total.size
    n_sums = width if plain else width - 1
    at = u * (n_grid + 2) * width
    end = at + (n_grid + 1) * width
    best, nan_left, perfect = np.int64(-1), False, False
    for k in range(width):
        parts[0, k] = 0
    for j in range(0 if varies else n_grid, n_grid + 1):
        if j == n_grid:  # missing values against all others
            if not n_missing:
                break
            for k in range(width):
                parts[0, k] = total[k] - sums[end + k]
        else:
            empty = True
            for k in range(width):
                more = sums[at + j * width + k]
                parts[0, k] += more
                empty &= more == 0
            if empty:
                continue
        for with_missing in range(2 if n_missing and j < n_grid else 1):
            if with_missing:
                for k in range(width):
                    parts[1, k] = parts[0, k] + sums[end + k]
            n_left = np.int64(0)
            if plain:
                for k in range(width):
                    n_left += parts[with_missing, k]
            else:
                n_left += parts[with_missing, n_sums]
            if min(n_left, size - n_left) < rules.min_samples_leaf:
                continue
            pure = criterion != SQUARED_ERROR and is_perfect(parts, with_missing, total, n_sums)
            here = merit(parts, with_missing, total, n_sums, criterion, class_weight)
            if here > score or pure:
                score, best = here, j
                nan_left = with_missing == 1 if n_missing else 2 * n_left >= size
                perfect = pure
            if perfect:
                break
        if perfect:
            break
    return score, best, nan_left, perfect


@spelled_out
def rate(table, rules, space, u, size, score):
    """Go through the candidates of a trial.

    Parameters
    ----------
    table : Table
    rules : Rules
    space : Space
    u : int
        Number of the trial.
    size : int
        The node's number of rows.
    score : float
        Merit of the best of other trials.

    Returns
    -------
    score : float
        Merit of the best.
    best : int
        The best candidate, or -1 if none is better than others.
    nan_left : bool
        Whether missing values go left with it.
    perfect : bool
        Whether it leaves one class on each side, so that nothing is better.
    """
    width = space.total.size
    n_missing = space.trials[u].n_missing
    if table.weights.size or width != 2 or rules.criterion != GINI or n_missing:
        return rate_any(table, rules, space, u, size, score)
    here, j = rate_two_classes(
        space.sums[u * (rules.n_candidates + 2) * width :],
        space.ratings,
        space.total,
        table.class_weight,
        size,
        rules.min_samples_leaf,
        score,
    )
    if j < 0:
        return score, j, False, False
    n_left = space.ratings[0, j] + space.ratings[1, j]
    return here, j, 2.0 * n_left >= size, here == np.inf
