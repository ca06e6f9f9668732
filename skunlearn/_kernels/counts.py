"""Per-class sums that add and subtract exactly, for any finite float input.

A value ``v = x * weight`` is cut on a grid that does not depend on the data into whole units, units
of 2**-40 and units of 2**-80 (what is finer is dropped), and each part is summed in integers.
Integer sums know no order, so rows that are taken out leave exactly the sums of the others. Totals
are one array of shape (3, n_classes, n_features + 1), dtype int64, whose last column sums the
weights themselves. Its two lower parts are kept in ``[0, 2**40)``, which makes the representation
of a sum unique.

References
----------
Collange, Defour, Graillat, Iakymchuk: Numerical reproducibility for the parallel reduction on
multi- and many-core architectures, Parallel Computing 49, 2015, section 3 (long accumulators).
"""

import numpy as np
from numba import njit

BITS = 40
UNIT = 2.0**BITS
MASK = (1 << BITS) - 1

# Parts up to 2**40 of this many values add up to less than 2**53, where floats are integers.
DENSE_BLOCK = 1 << 12
# Parts up to 2**40 of this many values add up to less than 2**63.
SPARSE_BLOCK = 1 << 22


@njit(cache=True)
def cut(value):
    """Cut a value into its three parts, each a float that is an integer."""
    whole = np.trunc(value)
    rest = (value - whole) * UNIT
    middle = np.trunc(rest)
    return whole, middle, np.trunc((rest - middle) * UNIT)


@njit(cache=True)
def carry(totals, label):
    """Bring the lower parts of one class's totals back into their range, in place."""
    whole, middle, low = totals[0, label], totals[1, label], totals[2, label]
    for j in range(whole.size):
        middle[j] += low[j] >> BITS
        low[j] &= MASK
        whole[j] += middle[j] >> BITS
        middle[j] &= MASK


@njit(cache=True)
def count_rows(totals, counts, X, weights, labels, rows, threshold, sign):
    """Add rows of a dense X to per-class totals, or take them out.

    Parameters
    ----------
    totals : ndarray of shape (3, n_classes, n_features + 1), int64
    counts : ndarray of shape (2, n_classes), int64
        Numbers of rows, and of rows whose weight is not zero.
    X : ndarray of shape (n_slots, n_features)
    weights : ndarray of shape (n_slots,) or (0,), float64
        Empty for unit weights.
    labels : ndarray of shape (n_rows,), intp
        Class of each of the rows.
    rows : ndarray of shape (n_rows,), intp
    threshold : float
        Values above it count as 1, others as 0; NaN to take values as they are.
    sign : {1, -1}
        Whether to add or to take out.

    Returns
    -------
    totals, counts : ndarray
        New arrays.
    """
    totals, counts = totals.copy(), counts.copy()
    n_classes, width = totals.shape[1:]
    weighted = weights.size > 0
    as_is = np.isnan(threshold)
    block = np.zeros((3, n_classes, width))
    values = np.empty(width)
    for start in range(0, rows.size, DENSE_BLOCK):
        seen = np.zeros(n_classes, dtype=np.bool_)
        for position in range(start, min(start + DENSE_BLOCK, rows.size)):
            row, label = rows[position], labels[position]
            weight = weights[row] if weighted else 1.0
            seen[label] = True
            counts[0, label] += sign
            counts[1, label] += sign if weight != 0.0 else 0
            if as_is:
                for j in range(width - 1):
                    values[j] = np.float64(X[row, j]) * weight
            else:
                for j in range(width - 1):
                    values[j] = weight if np.float64(X[row, j]) > threshold else 0.0
            values[width - 1] = weight
            for j in range(width):
                whole, middle, low = cut(values[j])
                block[0, label, j] += whole
                block[1, label, j] += middle
                block[2, label, j] += low
        for label in np.flatnonzero(seen):
            for part in range(3):
                for j in range(width):
                    totals[part, label, j] += sign * np.int64(block[part, label, j])
                    block[part, label, j] = 0.0
            carry(totals, label)
    return totals, counts


@njit(cache=True)
def count_entries(totals, counts, data, indices, indptr, weights, labels, rows, threshold, sign):
    """Add rows of a CSR array to per-class totals, or take them out.

    Parameters
    ----------
    totals : ndarray of shape (3, n_classes, n_features + 1), int64
    counts : ndarray of shape (2, n_classes), int64
    data, indices, indptr : ndarray
        The CSR array, in which no entry is stored twice.
    weights, labels, rows, threshold, sign
        As in `count_rows`; the threshold is not negative.

    Returns
    -------
    totals, counts : ndarray
        New arrays.
    """
    totals, counts = totals.copy(), counts.copy()
    n_classes, width = totals.shape[1:]
    weighted = weights.size > 0
    as_is = np.isnan(threshold)
    for start in range(0, rows.size, SPARSE_BLOCK):
        seen = np.zeros(n_classes, dtype=np.bool_)
        for position in range(start, min(start + SPARSE_BLOCK, rows.size)):
            row, label = rows[position], labels[position]
            weight = weights[row] if weighted else 1.0
            seen[label] = True
            counts[0, label] += sign
            counts[1, label] += sign if weight != 0.0 else 0
            whole, middle, low = cut(weight)
            totals[0, label, width - 1] += sign * np.int64(whole)
            totals[1, label, width - 1] += sign * np.int64(middle)
            totals[2, label, width - 1] += sign * np.int64(low)
            for entry in range(indptr[row], indptr[row + 1]):
                value = np.float64(data[entry])
                if as_is:
                    value *= weight
                else:
                    value = weight if value > threshold else 0.0
                whole, middle, low = cut(value)
                j = indices[entry]
                totals[0, label, j] += sign * np.int64(whole)
                totals[1, label, j] += sign * np.int64(middle)
                totals[2, label, j] += sign * np.int64(low)
        for label in np.flatnonzero(seen):
            carry(totals, label)
    return totals, counts


@njit(cache=True)
def to_floats(totals):
    """Round totals to floats.

    Parameters
    ----------
    totals : ndarray of shape (3, n_classes, n_features + 1), int64

    Returns
    -------
    feature_count : ndarray of shape (n_classes, n_features), float64
    class_count : ndarray of shape (n_classes,), float64
    """
    n_classes, width = totals.shape[1:]
    feature_count = np.empty((n_classes, width - 1))
    class_count = np.empty(n_classes)
    for label in range(n_classes):
        for j in range(width):
            fraction = (totals[1, label, j] + totals[2, label, j] / UNIT) / UNIT
            total = totals[0, label, j] + fraction
            if j < width - 1:
                feature_count[label, j] = total
            else:
                class_count[label] = total
    return feature_count, class_count
