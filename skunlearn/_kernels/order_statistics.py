"""Sorted columns in blocks: find ranks of values, values at ranks, and take values out in place.

A column is sorted and cut into blocks of about the square root of its length, so that taking a
value out moves the rest of one block only. Columns lie one after the other:

* ``values``: flat; block b is ``values[b * block : (b + 1) * block]``, what it does not use is 0;
* ``first``: column j has the blocks ``first[j]`` to ``first[j + 1]``, of which the first
  ``used[j]`` are in use, none of these empty;
* ``starts``: from ``first[j] + j`` on, how many values of column j lie before each block in use,
  and how many there are.

Values to take out are given by their ranks, sorted per column: those of column j are
``gone[cuts[j] : cuts[j + 1]]``.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def _block_of(starts, at, used, rank):
    """Find the block in use that holds a rank."""
    low, high = 0, used - 1
    while low < high:
        middle = (low + high + 1) // 2
        if starts[at + middle] <= rank:
            low = middle
        else:
            high = middle - 1
    return low


@njit(cache=True)
def _rank_of(values, starts, at, begin, used, block, value):
    """Count the values of a column below the given one."""
    low, high = -1, used - 1
    while low < high:
        middle = (low + high + 1) // 2
        if values[(begin + middle) * block] < value:
            low = middle
        else:
            high = middle - 1
    if low < 0:
        return 0
    position = (begin + low) * block
    left, right = 0, starts[at + low + 1] - starts[at + low]
    while left < right:
        middle = (left + right) // 2
        if values[position + middle] < value:
            left = middle + 1
        else:
            right = middle
    return starts[at + low] + left


@njit(cache=True)
def ranks_of(values, starts, first, used, block, wanted, cuts):
    """Find the ranks of values that the columns hold.

    Parameters
    ----------
    values, starts, first, used, block
        The columns.
    wanted : ndarray of shape (n_wanted,)
        Column after column, sorted; equal ones get ranks that follow each other.
    cuts : ndarray of shape (n_columns + 1,), intp

    Returns
    -------
    ranks : ndarray of shape (n_wanted,), int64
    """
    ranks = np.empty(wanted.size, dtype=np.int64)
    for j in range(first.size - 1):
        for i in range(cuts[j], cuts[j + 1]):
            if i > cuts[j] and wanted[i] == wanted[i - 1]:
                ranks[i] = ranks[i - 1] + 1
            else:
                ranks[i] = _rank_of(
                    values, starts, first[j] + j, first[j], used[j], block, wanted[i]
                )
    return ranks


@njit(cache=True)
def _shifted(gone, begin, end, rank):
    """Return the rank that a value has before some are taken out, given its rank afterwards."""
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if gone[middle] - (middle - begin) <= rank:
            low = middle + 1
        else:
            high = middle
    return rank + low - begin


@njit(cache=True)
def values_at(values, starts, first, used, block, zeros, gone, cuts, ranks, out):
    """Read order statistics of the columns as they are when some values have been taken out.

    Parameters
    ----------
    values, starts, first, used, block
        The columns.
    zeros : ndarray of shape (n_columns,), int64
        How many zeros each column has beside its values.
    gone : ndarray of shape (n_gone,), int64
    cuts : ndarray of shape (n_columns + 1,), intp
    ranks : ndarray of shape (n_columns, n_ranks), int64
        From 0; what is asked at a negative one is left alone.
    out : ndarray of shape (n_columns, n_ranks)
        Is overwritten.
    """
    for j in range(first.size - 1):
        at = first[j] + j
        below = 0
        if zeros[j] > 0:
            rank = _rank_of(values, starts, at, first[j], used[j], block, 0)
            below = rank
            for i in range(cuts[j], cuts[j + 1]):
                below -= gone[i] < rank
        for q in range(ranks.shape[1]):
            rank = ranks[j, q]
            if rank < 0:
                continue
            if zeros[j] > 0 and rank >= below:
                if rank < below + zeros[j]:
                    out[j, q] = 0
                    continue
                rank -= zeros[j]
            rank = _shifted(gone, cuts[j], cuts[j + 1], rank)
            b = _block_of(starts, at, used[j], rank)
            out[j, q] = values[(first[j] + b) * block + rank - starts[at + b]]


@njit(cache=True)
def _pack(values, starts, at, begin, used, block, gone):
    """Write a column anew into full blocks, without the values of the given ranks."""
    target = begin * block
    n_kept, passed = 0, 0
    for b in range(used):
        source = (begin + b) * block - starts[at + b]
        for rank in range(starts[at + b], starts[at + b + 1]):
            if passed < gone.size and gone[passed] == rank:
                passed += 1
            else:
                values[target + n_kept] = values[source + rank]
                n_kept += 1
    values[target + n_kept : (begin + used) * block] = 0
    packed = (n_kept + block - 1) // block
    for b in range(packed):
        starts[at + b] = b * block
    starts[at + packed : at + used + 1] = n_kept
    return packed


@njit(cache=True)
def take_out(values, starts, first, used, block, gone, cuts):
    """Take values out, in place; every slot that falls free is overwritten.

    Parameters
    ----------
    values, starts, first, used, block
        The columns; all but `first` and `block` are changed.
    gone : ndarray of shape (n_gone,), int64
    cuts : ndarray of shape (n_columns + 1,), intp
    """
    for j in range(first.size - 1):
        at, begin = first[j] + j, first[j]
        n_gone = cuts[j + 1] - cuts[j]
        if n_gone * block > 4 * starts[at + used[j]]:
            used[j] = _pack(values, starts, at, begin, used[j], block, gone[cuts[j] : cuts[j + 1]])
            continue
        empty = False
        for i in range(cuts[j + 1] - 1, cuts[j] - 1, -1):
            b = _block_of(starts, at, used[j], gone[i])
            size = starts[at + b + 1] - starts[at + b]
            position = (begin + b) * block
            for k in range(position + gone[i] - starts[at + b], position + size - 1):
                values[k] = values[k + 1]
            values[position + size - 1] = 0
            for k in range(at + b + 1, at + used[j] + 1):
                starts[k] -= 1
            empty |= size == 1
        if empty:
            used[j] = _pack(values, starts, at, begin, used[j], block, gone[:0])
