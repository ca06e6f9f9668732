"""Sums of floats and of their squares, exact and therefore the same in every order.

A float is cut into digits of 24 bits on a grid that does not depend on the data, and each digit is
summed in an integer. Integer sums know no order: rows that are taken out leave exactly the sums of
the others. Of numbers smaller than 2**-1056 nothing is kept.

References
----------
Collange, Defour, Graillat, Iakymchuk: Numerical reproducibility for the parallel reduction on
multi- and many-core architectures, Parallel Computing 49, 2015, section 3 (long accumulators).
"""

import numpy as np
from numba import njit

BITS = 24
MASK = (1 << BITS) - 1
LOWEST = -44

# Dekker's constant, which cuts a float into two halves.
SPLITTER = 134217729.0


@njit(cache=True)
def product(a, b):
    """Return a product and its rounding error (Dekker 1971)."""
    p = a * b
    c = SPLITTER * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = SPLITTER * b
    b_high = c - (c - b)
    b_low = b - b_high
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit(cache=True)
def cut(value, lowest, digits):
    """Add the digits of a value to `digits`, whose first one counts units of 2**(24 * lowest)."""
    for level in range(digits.size - 1, -1, -1):
        unit = np.ldexp(1.0, BITS * (lowest + level))
        whole = np.trunc(value / unit)
        digits[level] += np.int64(whole)
        value -= whole * unit


@njit(cache=True)
def add_rows(sums, squares, lowest, positions, y, sign):
    """Add targets and their squares to the sums at the positions of their rows, or subtract them.

    Parameters
    ----------
    sums : ndarray of shape (n_positions, n_digits), int64
    squares : ndarray of shape (n_positions, n_square_digits), int64
    lowest : ndarray of shape (2,), int64
        The units of the first digits of both, as powers of 2**24.
    positions : ndarray of shape (n_rows, n_columns), intp
        Negative for none.
    y : ndarray of shape (n_rows,), float64
    sign : int
        1 or -1.
    """
    first = np.empty(sums.shape[1], dtype=np.int64)
    second = np.empty(squares.shape[1], dtype=np.int64)
    for i in range(y.size):
        first[:] = 0
        second[:] = 0
        cut(y[i], lowest[0], first)
        square, error = product(y[i], y[i])
        cut(square, lowest[1], second)
        cut(error, lowest[1], second)
        for j in range(positions.shape[1]):
            position = positions[i, j]
            if position >= 0:
                for level in range(first.size):
                    sums[position, level] += sign * first[level]
                for level in range(second.size):
                    squares[position, level] += sign * second[level]


@njit(cache=True)
def total(digits, lowest, scratch):
    """Return what digits stand for as a float and the rest of it."""
    negative = False
    for _ in range(2):
        carry = np.int64(0)
        for level in range(digits.size):
            value = (-digits[level] if negative else digits[level]) + carry
            scratch[level] = value & MASK
            carry = value >> BITS
        if carry >= 0:
            break
        negative = True
    high = np.ldexp(np.float64(carry >> 26), BITS * (lowest + digits.size) + 26)
    low = 0.0
    parts = digits.size + 1
    for part in range(parts):
        if part == 0:
            term = np.ldexp(np.float64(carry & ((1 << 26) - 1)), BITS * (lowest + digits.size))
        else:
            level = digits.size - part
            term = np.ldexp(np.float64(scratch[level]), BITS * (lowest + level))
        larger = high + term
        low += term - (larger - high)
        high = larger
    larger = high + low
    low -= larger - high
    return (-larger, -low) if negative else (larger, low)


@njit(cache=True)
def sums_and_scatters(sums, squares, lowest, numbers, positions):
    """Turn exact sums into floats.

    Returns
    -------
    totals, scatters : ndarray of shape (n_positions,)
        Sums of the targets, and of their squared differences from their mean; zero for no rows.
    """
    totals = np.zeros(positions.size)
    scatters = np.zeros(positions.size)
    scratch = np.empty(max(sums.shape[1], squares.shape[1]), dtype=np.int64)
    for i in range(positions.size):
        position = positions[i]
        number = np.float64(numbers[position])
        if number == 0.0:
            continue
        high, low = total(sums[position], lowest[0], scratch)
        square, rest = total(squares[position], lowest[1], scratch)
        totals[i] = high
        p, error = product(high, high)
        error += 2.0 * high * low
        quotient = p / number
        back, lost = product(quotient, number)
        correction = ((p - back) - lost + error) / number
        scatters[i] = max(0.0, (square - quotient) + (rest - correction))
    return totals, scatters
