"""Sums of targets per category, exact, so that they forget without a trace."""

from __future__ import annotations

from typing import Any

import numpy as np

from skunlearn._kernels.exact_sums import BITS, LOWEST, add_rows, sums_and_scatters
from skunlearn._samples.tables import overwrite

# Beyond this the square of the sum of many targets, or a part of it, might be no float.
LARGEST = 1e140


class TargetSums:
    """Number, sum and scatter of targets per position, for one target or many classes.

    A position stands for a category of a column, or for all rows.

    Parameters
    ----------
    positions : ndarray of shape (n_rows, n_columns), dtype intp
        Where each row is added; -1 for nowhere.

    y : ndarray of shape (n_rows,)
        Targets, float64; or the numbers of classes, intp.

    n_positions : int
        Number of positions.

    n_targets : int, default=0
        With classes, of how many the rows are counted: of the last ones. 0 stands for targets that
        are numbers.

    n_classes : int, default=0
        With classes, how many there are.
    """

    def __init__(
        self,
        positions: np.ndarray,
        y: np.ndarray,
        n_positions: int,
        n_targets: int = 0,
        n_classes: int = 0,
    ) -> None:
        self.first_class = n_classes - n_targets
        inside = positions.ravel()
        self.numbers = np.bincount(inside[inside >= 0], minlength=n_positions)
        self.digits: tuple[Any, ...]
        if n_targets:
            counts = np.zeros((n_targets, n_positions), dtype=np.int64)
            for target in range(n_targets):
                part = positions[y == target + self.first_class].ravel()
                counts[target] = np.bincount(part[part >= 0], minlength=n_positions)
            self.digits = (counts.T.copy(),)
        else:
            self.lowest, n_digits = _window(y)
            sums, squares = (np.zeros((n_positions, n), dtype=np.int64) for n in n_digits)
            add_rows(sums, squares, self.lowest, positions, y, 1)
            self.digits = (sums, squares)
        self.totals, self.scatters = self._floats(self.numbers, self.digits)

    def _floats(
        self, numbers: np.ndarray, digits: tuple[Any, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return sums and scatters, (n_targets, n_positions), rounded once from exact ones."""
        if len(digits) == 1:
            counts = digits[0].T
            scatters = counts * (numbers - counts) / np.maximum(numbers, 1)
            return counts.astype(np.float64), scatters
        totals, scatters = sums_and_scatters(*digits, self.lowest, numbers, np.arange(numbers.size))
        return totals[None], scatters[None]

    def taking(self, positions: np.ndarray, y: np.ndarray) -> Taken:
        """Prepare to take rows out."""
        return Taken(self, positions, y)

    def wipe(self) -> None:
        """Overwrite the sums."""
        overwrite(self.numbers, self.totals, self.scatters, *self.digits)


class Taken:
    """What rows take from sums, nothing of it in force yet.

    Parameters
    ----------
    sums : TargetSums
        What they are taken from.

    positions : ndarray of shape (n_rows, n_columns), dtype intp
        As in `TargetSums`.

    y : ndarray of shape (n_rows,)
        As in `TargetSums`.
    """

    def __init__(self, sums: TargetSums, positions: np.ndarray, y: np.ndarray) -> None:
        self.sums = sums
        touched, local = np.unique(positions, return_inverse=True)
        local = local.reshape(positions.shape)
        if touched[0] < 0:
            touched, local = touched[1:], local - 1
        self.touched = touched
        self.numbers = sums.numbers[touched] - np.bincount(
            local[local >= 0], minlength=touched.size
        )
        self.digits = tuple(digits[touched] for digits in sums.digits)
        if len(self.digits) == 1:
            targets = y - sums.first_class
            for target, row in zip(targets.tolist(), local, strict=True):
                if target >= 0:
                    self.digits[0][row[row >= 0], target] -= 1
        else:
            add_rows(*self.digits, sums.lowest, local, y, -1)
        self.floats = sums._floats(self.numbers, self.digits)

    def left(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return numbers, sums and scatters as they will be."""
        sums = self.sums
        after = sums.numbers.copy(), sums.totals.copy(), sums.scatters.copy()
        after[0][self.touched] = self.numbers
        after[1][:, self.touched], after[2][:, self.touched] = self.floats
        return after

    def take_out(self) -> None:
        """Take the rows out, once the new model is in force."""
        sums = self.sums
        sums.numbers[self.touched] = self.numbers
        sums.totals[:, self.touched], sums.scatters[:, self.touched] = self.floats
        for digits, part in zip(sums.digits, self.digits, strict=True):
            digits[self.touched] = part


def _window(y: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Choose the digits that the targets and their squares have."""
    sizes = np.abs(y[y != 0])
    if not sizes.size:
        return np.zeros(2, dtype=np.int64), (1, 1)
    low, high = (int(np.frexp(size)[1]) for size in (sizes.min(), sizes.max()))
    lowest = [max((low - 53) // BITS, LOWEST), max(2 * (low - 53) // BITS, LOWEST)]
    highest = [(high - 1) // BITS, (2 * high - 1) // BITS]
    n_digits = [max(top - bottom, 0) + 1 for top, bottom in zip(highest, lowest, strict=True)]
    return np.array(lowest, dtype=np.int64), (n_digits[0], n_digits[1])


def encode(
    numbers: np.ndarray, totals: np.ndarray, scatters: np.ndarray, smooth: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Shrink the mean of each position towards that of the last one, which stands for all rows.

    Parameters
    ----------
    numbers : ndarray of shape (n_positions,)
    totals, scatters : ndarray of shape (n_targets, n_positions)
    smooth : 'auto' or float
        For how many rows the mean of all counts; 'auto' is the empirical Bayes estimate.

    Returns
    -------
    encodings : ndarray of shape (n_targets, n_positions)
        The mean of all where a position has no rows.

    means : ndarray of shape (n_targets, 1)
        The mean of all.

    References
    ----------
    Micci-Barreca: A preprocessing scheme for high-cardinality categorical attributes in
    classification and prediction problems, SIGKDD Explorations 3(1), 2001, equations 3 to 6.
    """
    mean = totals[:, -1:] / numbers[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(smooth, str):
            weight = scatters[:, -1:] / numbers[-1] * numbers
            share = weight / (weight + scatters / numbers)
            encodings = share * (totals / numbers) + (1.0 - share) * mean
        else:
            encodings = (smooth * mean + totals) / (smooth + numbers)
    return np.where(np.isnan(encodings), mean, encodings), mean
