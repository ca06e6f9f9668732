"""Numba kernels: the sums that a node's split rests on, and the choice of the split."""

import numpy as np
from numba import njit

from skunlearn._kernels.tree_parts import (
    BITS,
    GINI,
    NUMBERS,
    SQUARED_ERROR,
    category_bits,
    count_in,
    grid_of,
    interval_of,
    mix,
    threshold_at,
)


@njit(cache=True)
def add_up(table, rules, rows, key, space, trials, sums):
    """Compute the sums from which a node's split is chosen.

    Parameters
    ----------
    table : Table
    rules : Rules
    rows : ndarray of shape (n_rows,), int32
        The node's rows.
    key : uint64
        The node's key.
    space : Space
    trials : ndarray of shape (max_features,), TRIAL
        Overwritten.
    sums : ndarray of shape (max_features, n_candidates + 2, n_sums + 1), integer
        Overwritten. For each interval between thresholds, or for the left side of each categorical
        candidate, and last for missing values: sums as in a node's, and the number of rows.
    """
    columns, labels, targets = table.columns, table.labels, table.targets
    weights, scales = table.weights, table.scales
    n_features = columns.shape[0]
    n, n_grid, last = rows.size, rules.n_candidates, sums.shape[2] - 1
    order, values, places, grid = space.order, space.values, space.places, space.grid
    plain = labels.size > 0 and weights.size == 0
    n_used, n_drawn = 0, 0
    while n_used < rules.max_features and n_drawn < n_features:
        drawn = mix(key + np.uint64(n_drawn))
        at = n_drawn + np.int64((drawn >> np.uint64(32)) % np.uint64(n_features - n_drawn))
        f = order[at]
        order[at] = order[n_drawn]
        order[n_drawn] = f
        n_drawn += 1
        column = columns[f]
        low, high = np.float32(np.inf), np.float32(-np.inf)
        n_missing = 0
        for i in range(n):
            v = column[rows[i]]
            values[i] = v
            low = v if v < low else low
            high = v if v > high else high
            n_missing += v != v
        if n_missing == n or not (low < high or n_missing):
            continue
        sums[n_used] = 0
        n_low, n_high = 0, 0
        if table.is_categorical[f]:
            number = drawn & NUMBERS
            for i in range(n):
                v = values[i]
                n_low += v == low
                n_high += v == high
                if v != v:
                    count_in(sums[n_used, n_grid + 1], rows[i], labels, targets, weights, scales, 1)
                    continue
                bits = category_bits(v, number)
                for j in range(n_grid):
                    if (bits >> np.uint64(j)) & np.uint64(1) != 0:
                        count_in(sums[n_used, j], rows[i], labels, targets, weights, scales, 1)
        else:
            step, origin = grid_of(low, high, drawn, n_grid)
            per_step = 1.0 / step
            for j in range(n_grid):
                grid[j] = threshold_at(step, origin, j)
            for i in range(n):
                v = values[i]
                n_low += v == low
                n_high += v == high
                places[i] = n_grid + 1 if v != v else interval_of(v, per_step, origin, grid)
            if plain:
                for i in range(n):
                    sums[n_used, places[i], labels[rows[i]]] += 1
                    sums[n_used, places[i], last] += 1
            else:
                for i in range(n):
                    count_in(sums[n_used, places[i]], rows[i], labels, targets, weights, scales, 1)
        trials[n_used].feature, trials[n_used].key = f, drawn
        trials[n_used].low, trials[n_used].high = low, high
        trials[n_used].n_low, trials[n_used].n_high = n_low, n_high
        n_used += 1
    for u in range(n_used, rules.max_features):
        trials[u].feature = -1
    for i in range(n_drawn - 1, -1, -1):
        drawn = mix(key + np.uint64(i))
        at = i + np.int64((drawn >> np.uint64(32)) % np.uint64(n_features - i))
        f = order[at]
        order[at] = order[i]
        order[i] = f


@njit(cache=True, inline="always")
def merit(parts, which, total, criterion, class_weight):
    """Rate a division into ``parts[which]`` and the rest of `total`; the larger, the purer."""
    n = total.size - 1
    left, right, merit_left, merit_right = 0.0, 0.0, 0.0, 0.0
    if criterion == SQUARED_ERROR:
        left = np.float64(parts[which, n - 1])
        right = np.float64(total[n - 1] - parts[which, n - 1])
        for o in range(n - 1):
            a, b = np.float64(parts[which, o]), np.float64(total[o] - parts[which, o])
            merit_left += a * a
            merit_right += b * b
    elif criterion == GINI:
        for k in range(n):
            a = class_weight[k] * np.float64(parts[which, k])
            b = class_weight[k] * np.float64(total[k] - parts[which, k])
            left += a
            right += b
            merit_left += a * a
            merit_right += b * b
    else:
        for k in range(n):
            a = class_weight[k] * np.float64(parts[which, k])
            b = class_weight[k] * np.float64(total[k] - parts[which, k])
            left += a
            right += b
            merit_left += a * np.log(a) if a > 0.0 else 0.0
            merit_right += b * np.log(b) if b > 0.0 else 0.0
        return merit_left - left * np.log(left) + merit_right - right * np.log(right)
    return (merit_left * right + merit_right * left) / (left * right)


@njit(cache=True)
def choose(rules, is_categorical, class_weight, trials, sums, total, parts):
    """Choose the best split by a node's sums; of equally good ones the first.

    Parameters
    ----------
    rules : Rules
    is_categorical, class_weight : ndarray
        Of the table.
    trials, sums : ndarray
        From :func:`add_up`.
    total : ndarray of shape (n_sums + 1,), int64
        Sums of the node, and its number of rows.
    parts : ndarray of shape (2, n_sums + 1), int64
        Working space.

    Returns
    -------
    found : bool
    feature : int
        ``~feature`` if missing values go left.
    threshold : float32
    has_missing : bool
        Whether any row misses its value.
    """
    n_grid, criterion = rules.n_candidates, rules.criterion
    last = total.size - 1
    best, best_trial, best_j, nan_left = -np.inf, -1, 0, False
    for u in range(trials.size):
        f = trials[u].feature
        if f < 0:
            break
        categorical = is_categorical[f]
        n_missing = sums[u, n_grid + 1, last]
        if criterion == GINI and last == 2 and not (n_missing or categorical):
            w0, w1 = class_weight[0], class_weight[1]
            n_left, count0, count1 = 0, 0, 0
            for j in range(n_grid):
                if sums[u, j, 2] == 0:
                    continue
                n_left += sums[u, j, 2]
                count0 += sums[u, j, 0]
                count1 += sums[u, j, 1]
                if min(n_left, total[2] - n_left) < rules.min_samples_leaf:
                    continue
                a0, a1 = w0 * count0, w1 * count1
                b0, b1 = w0 * (total[0] - count0), w1 * (total[1] - count1)
                left, right = a0 + a1, b0 + b1
                score = (a0 * a0 + a1 * a1) * right + (b0 * b0 + b1 * b1) * left
                score /= left * right
                if score > best:
                    best, best_trial, best_j = score, u, j
                    nan_left = n_left >= total[2] - n_left
            continue
        for k in range(last + 1):
            parts[0, k] = 0
        for j in range(0 if trials[u].low < trials[u].high else n_grid, n_grid + 1):
            if j == n_grid:  # missing values against all others
                if not n_missing:
                    break
                for k in range(last + 1):
                    parts[0, k] = total[k] - sums[u, n_grid + 1, k]
            elif categorical:
                for k in range(last + 1):
                    parts[0, k] = sums[u, j, k]
            elif sums[u, j, last] == 0:
                continue
            else:
                for k in range(last + 1):
                    parts[0, k] += sums[u, j, k]
            for with_missing in range(2 if n_missing and j < n_grid else 1):
                if with_missing:
                    for k in range(last + 1):
                        parts[1, k] = parts[0, k] + sums[u, n_grid + 1, k]
                n_left = parts[with_missing, last]
                n_right = total[last] - n_left
                if min(n_left, n_right) < rules.min_samples_leaf:
                    continue
                score = merit(parts, with_missing, total, criterion, class_weight)
                if score > best:
                    best, best_trial, best_j = score, u, j
                    nan_left = with_missing == 1 if n_missing else n_left >= n_right
    if best_trial < 0:
        return False, -1, np.float32(np.inf), False
    f = trials[best_trial].feature
    if best_j == n_grid:
        threshold = np.float32(np.inf)
    elif is_categorical[f]:
        number = np.uint32(trials[best_trial].key & NUMBERS)
        threshold = np.uint32((number << np.uint32(BITS)) | np.uint32(best_j)).view(np.float32)
    else:
        low, high = trials[best_trial].low, trials[best_trial].high
        step, origin = grid_of(low, high, trials[best_trial].key, n_grid)
        threshold = threshold_at(step, origin, best_j)
    has_missing = sums[best_trial, n_grid + 1, last] > 0
    return True, ~f if nan_left else f, threshold, has_missing
