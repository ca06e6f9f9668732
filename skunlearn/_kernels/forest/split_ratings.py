"""Numba kernels: how good the candidates for a node's split are."""

import numpy as np

from skunlearn._kernels.forest.tree_parts import ENTROPY, SQUARED_ERROR
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


@spelled_out
def largest(merits):
    """Find the largest of merits, none of them NaN; -inf if none is zero or more.

    Bits of such numbers are in the order of integers, of which many are compared at once.
    """
    bits = merits.view(np.int64)
    most = np.int64(-1)
    for j in range(bits.size):
        most = max(most, bits[j])
    return -np.inf if most < 0 else np.int64(most).view(np.float64)


@part
def rate_pairs(
    sums, lefts, merits, total, by_class, class_weight, size, min_samples_leaf, score, keeps
):
    """Find the best of the candidates where two sums say all: without weights of rows.

    All are rated, those that divide nothing as well, which is faster than to tell them apart.

    Parameters
    ----------
    sums : ndarray of shape (>= 2 * n_candidates,)
        Of each interval counts of both classes, or the sum of a target and the number of rows.
    lefts : ndarray of shape (2, n_candidates), int64
        Receives these sums of all that is on the left.
    merits : ndarray of shape (n_candidates,), float64
        Overwritten.
    total : ndarray of shape (2,), int64
    by_class : bool
    class_weight : ndarray of shape (2,), float64
        Of no account for a target.
    size : int
        The node's number of rows.
    min_samples_leaf : int
    score : float
        What is to be exceeded.
    keeps : bool
        Whether the best of the others is wanted.

    Returns
    -------
    score : float
        Infinite if there is one class on each side.
    best : int
        The first of the best candidates, or -1.
    rival : float
        Merit of the best of the others, if wanted.
    """
    a, b, best = np.int64(0), np.int64(0), np.int64(-1)
    for j in range(merits.size):
        more0, more1 = sums[2 * j], sums[2 * j + 1]
        a += more0
        b += more1
        lefts[0, j], lefts[1, j] = a, b
        merits[j] = more0 + more1 if by_class else more1
    least, most = min_samples_leaf, size - min_samples_leaf
    if by_class:
        w0, w1, n0, n1 = class_weight[0], class_weight[1], total[0], total[1]
        for j in range(merits.size):
            l0, l1 = lefts[0, j], lefts[1, j]
            a0, a1 = w0 * np.float64(l0), w1 * np.float64(l1)
            b0, b1 = w0 * np.float64(n0 - l0), w1 * np.float64(n1 - l1)
            left, right = a0 + a1, b0 + b1
            here = ((a0 * a0 + a1 * a1) * right + (b0 * b0 + b1 * b1) * left) / (left * right)
            here = np.inf if ((l0 == 0) | (l1 == 0)) & ((l0 == n0) | (l1 == n1)) else here
            divides = (merits[j] > 0.0) & (l0 + l1 >= least) & (l0 + l1 <= most)
            merits[j] = here if divides else -np.inf
    else:
        for j in range(merits.size):
            a0, left = np.float64(lefts[0, j]), np.float64(lefts[1, j])
            b0, right = np.float64(total[0] - lefts[0, j]), np.float64(total[1] - lefts[1, j])
            here = (a0 * a0 * right + b0 * b0 * left) / (left * right)
            divides = (merits[j] > 0.0) & (lefts[1, j] >= least) & (lefts[1, j] <= most)
            merits[j] = here if divides else -np.inf
    rival = largest(merits)
    if rival > score:
        score, best = rival, np.int64(0)
        while merits[best] != score:
            best += 1
        if keeps:
            merits[best] = -np.inf
            rival = largest(merits)
    return score, best, rival


@part
def rate_any(table, rules, space, u, size, score):
    """Go through the candidates of a trial, whatever there is to sum; see :func:`rate`."""
    class_weight, total, parts, sums = table.class_weight, space.total, space.parts, space.sums
    plain = table.labels.size > 0 and table.weights.size == 0
    trial = space.trials[u]
    n_missing, varies = trial.n_missing, trial.low < trial.high
    n_grid, criterion, width = rules.n_candidates, rules.criterion, total.size
    n_sums = width - 1 if table.weights.size else width
    at = u * (n_grid + 2) * width
    end = at + (n_grid + 1) * width
    best, nan_left, perfect, rival = np.int64(-1), False, False, -np.inf
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
                n_left += parts[with_missing, width - 1]
            if min(n_left, size - n_left) < rules.min_samples_leaf:
                continue
            pure = criterion != SQUARED_ERROR and is_perfect(parts, with_missing, total, n_sums)
            here = merit(parts, with_missing, total, n_sums, criterion, class_weight)
            if here > score or pure:
                rival = score if best >= 0 else rival
                score, best = here, j
                nan_left = with_missing == 1 if n_missing else 2 * n_left >= size
                perfect = pure
            elif here > rival:
                rival = here
            if perfect:
                break
        if perfect:
            break
    return score, best, nan_left, perfect, rival


@spelled_out
def rate(table, rules, space, u, size, score, keeps):
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
    keeps : bool
        Whether the best of the others is wanted.

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
    rival : float
        Merit of the best of the trial's others, if wanted.
    """
    by_class = rules.criterion != SQUARED_ERROR
    n_missing = space.trials[u].n_missing
    if table.weights.size or space.total.size != 2 or rules.criterion == ENTROPY or n_missing:
        return rate_any(table, rules, space, u, size, score)
    here, j, rival = rate_pairs(
        space.sums[u * (rules.n_candidates + 2) * 2 :],
        space.lefts,
        space.merits,
        space.total,
        by_class,
        table.class_weight,
        size,
        rules.min_samples_leaf,
        score,
        keeps,
    )
    if j < 0:
        return score, j, False, False, rival
    n_left = space.lefts[1, j] + (space.lefts[0, j] if by_class else 0)
    return here, j, 2 * n_left >= size, here == np.inf, rival
