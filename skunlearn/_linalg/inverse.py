"""Positive definite systems whose unknowns can be taken out, by way of the inverse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import blas, lapack

from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import NO_ROWS, drop, overwrite
from skunlearn._unlearning.commit import Replacement, commit

# Smallest share of a diagonal entry of the inverse that may be left of it when others go; below,
# the reciprocal is the condition number at which a fresh factorisation is called for.
LEAST_SHARE = 1e-8

_BLOCK = 512


class Factor:
    """Cholesky factor of a symmetric positive definite matrix.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64, C order
        Only its lower triangle matters. It is overwritten.

    Attributes
    ----------
    failed : bool
        Whether the matrix is not positive definite.

    error : float
        Machine epsilon times the condition number in the 1-norm; infinite if `failed`.

    norm : float
        The 1-norm of the matrix.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        norm = self.norm = float(lapack.dlange("1", matrix.T))
        self._upper, info = lapack.dpotrf(matrix.T, lower=False, overwrite_a=True, clean=False)
        self.failed = info != 0
        self.error = np.inf
        if not self.failed:
            share, _ = lapack.dpocon(self._upper, norm)
            self.error = EPS / share if share > 0.0 else np.inf

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for one right-hand side, shape (n,), or several, shape (n, n_targets)."""
        return lapack.dpotrs(self._upper, right)[0].reshape(right.shape)

    def log_determinant(self) -> float:
        """Return the logarithm of the determinant of the matrix."""
        return 2.0 * float(np.log(self._upper.diagonal()).sum())

    def whiten(self, right: np.ndarray) -> np.ndarray:
        """Multiply by the inverse of the lower factor, so that squares sum to a quadratic form."""
        return lapack.dtrtrs(self._upper, right, trans=1)[0]

    def inverse(self) -> np.ndarray:
        """Turn the factor, which is of no further use, into the inverse of the matrix."""
        triangle, _ = lapack.dpotri(self._upper, overwrite_c=True)
        matrix = triangle.T
        for start in range(0, len(matrix), _BLOCK):
            stop = min(start + _BLOCK, len(matrix))
            square = np.tril(matrix[start:stop, start:stop])
            matrix[start:stop, start:stop] = square + np.tril(square, -1).T
            matrix[start:stop, stop:] = matrix[stop:, start:stop].T
        return matrix


class Inverse:
    """Inverse of a positive definite matrix ``A`` from which rows and columns are taken out.

    With ``B`` the inverse as last worked out in full and ``T`` what has been taken out since, the
    inverse of what is left of ``A`` is ``B - V'V`` on the rows kept, where ``V = L^-1 B_T`` and
    ``L L' = B_TT``; ``V`` grows by a row with each one taken out, up to the square root of their
    number, when the difference is worked out in full. Until then rows that were taken out are still
    part of ``B``. Copies and pickles are empty: it can always be computed anew.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64
        The inverse in full.

    error : float
        Relative error that its columns have for all that is known.

    Attributes
    ----------
    positions : ndarray of shape (n_kept,)
        Where the rows kept are in the matrix.

    n_taken : int
        How many rows taken out are still part of it.

    settled : bool
        Whether it is of use: not empty, and not left in the middle of a change.
    """

    def __init__(self, matrix: np.ndarray, error: float) -> None:
        n = len(matrix)
        self._matrix = matrix
        # Zeros, since fresh memory may hold what has just been freed.
        self._taken = np.zeros((int(np.sqrt(n)), n))
        self.n_taken = 0
        self.positions = np.arange(n)
        self.error = error
        self.settled = n > 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _empty, ()

    def wipe(self) -> None:
        """Overwrite everything, when the owner has no more use for it."""
        self.settled = False
        overwrite(self._matrix, self._taken)

    def take_out(self, ranks: np.ndarray) -> Downdate | None:
        """Work out what changes when rows are taken out; changes nothing.

        Parameters
        ----------
        ranks : ndarray of shape (k,)
            Which of the rows kept so far go, sorted.

        Returns
        -------
        downdate : Downdate or None
            None where it would be cheaper or safer to start from the remaining rows.
        """
        if not self.settled or 3 * ranks.size > self.positions.size:
            return None
        going, taken = self.positions[ranks], self._taken[: self.n_taken]
        # The inverse of what remains is the Schur complement of the block that goes; a diagonal
        # entry that is mostly subtracted away has lost as many digits as its share tells.
        columns = self._matrix[going]
        before = columns[:, going].diagonal()
        if self.n_taken:
            columns -= taken[:, going].T @ taken
        lower, info = lapack.dpotrf(columns[:, going], lower=True)
        if info:
            return None
        share = float((lower.diagonal() ** 2 / before).min())
        if share < LEAST_SHARE:
            return None
        rows = blas.dtrsm(
            1.0, lower, columns.T, side=True, lower=True, trans_a=True, overwrite_b=True
        ).T
        return Downdate(self, rows, lower, drop(self.positions, ranks), self.error / share)

    def absorb(self, rows: np.ndarray, positions: np.ndarray) -> None:
        """Subtract what was taken out, so that nothing of it is left; unsettles the inverse.

        Parameters
        ----------
        rows : ndarray of shape (k, n)
            What is to be subtracted the square of.

        positions : ndarray of shape (n_kept,)
            Where the rows are that stay.
        """
        self.settled = False
        matrix = self._matrix
        blas.dgemm(-1.0, rows.T, rows.T, trans_b=True, beta=1.0, c=matrix.T, overwrite_c=True)
        gone = np.ones(len(matrix), dtype=bool)
        gone[positions] = False
        matrix[gone] = 0.0
        matrix[:, gone] = 0.0
        self._taken.fill(0.0)

    def taken(self) -> np.ndarray:
        """Copy what is still to be subtracted the square of."""
        return self._taken[: self.n_taken].copy()

    def settling(self, positions: np.ndarray) -> Replacement:
        """Return the change that ends :meth:`absorb`."""
        state = {"n_taken": 0, "positions": positions, "error": self.error + EPS, "settled": True}
        if 2 * positions.size < len(self._matrix):
            matrix = self._matrix.take(positions, axis=0).take(positions, axis=1)
            state = vars(Inverse(matrix, self.error + EPS))
        return Replacement(self, state, NO_ROWS)

    def purge(self) -> None:
        """Leave nothing in the inverse of rows that were taken out."""
        if self.settled and self.n_taken:
            self.absorb(self.taken(), self.positions)
            commit([self.settling(self.positions)])


class Inverses(dict[float, Inverse]):
    """Inverses by the penalty that is part of their matrix; copies and pickles are empty."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Inverses, ()

    def wipe(self) -> None:
        """Overwrite every one of them, when the owner has no more use for them."""
        for inverse in self.values():
            inverse.wipe()


class Downdate:
    """What taking some rows out of an :class:`Inverse` means for solutions and for itself.

    Parameters
    ----------
    inverse : Inverse
        Not yet changed.

    rows : ndarray of shape (k, n)
        To be added to what is subtracted from the inverse.

    lower : ndarray of shape (k, k)
        Cholesky factor of the block of the inverse that goes.

    positions : ndarray of shape (n_kept,)
        Where the rows that stay are in the inverse.

    error : float
        Relative error of solutions, estimated.
    """

    def __init__(
        self,
        inverse: Inverse,
        rows: np.ndarray,
        lower: np.ndarray,
        positions: np.ndarray,
        error: float,
    ) -> None:
        self.inverse = inverse
        self.error = error
        self._rows = rows
        self._lower = lower
        self._positions = positions

    def correction(self, gone: np.ndarray) -> np.ndarray:
        """Return what to subtract from the solution of the rows that stay.

        Parameters
        ----------
        gone : ndarray of shape (k,) or (k, n_targets)
            The solution's entries that go.
        """
        whitened = lapack.dtrtrs(self._lower, gone, lower=True)[0].reshape(gone.shape)
        return (whitened.T @ self._rows).T[self._positions]

    def log_determinant(self) -> float:
        """Return what to add to the logarithm of the determinant of the matrix."""
        return 2.0 * float(np.log(self._lower.diagonal()).sum())

    def replacement(self) -> tuple[Replacement, str]:
        """Prepare the change of the inverse, which is of no use until it is in force.

        Returns
        -------
        replacement : Replacement
            The change.

        scope : {'state', 'output'}
            Whether nothing of the rows taken out will be left in the inverse.
        """
        inverse, n_taken = self.inverse, self.inverse.n_taken
        n_after = n_taken + len(self._rows)
        if n_after <= len(inverse._taken):
            inverse._taken[n_taken:n_after] = self._rows
            return Replacement(
                inverse, {"n_taken": n_after, "positions": self._positions}, NO_ROWS
            ), "output"
        inverse.absorb(np.vstack([inverse._taken[:n_taken], self._rows]), self._positions)
        return inverse.settling(self._positions), "state"


def _empty() -> Inverse:
    return Inverse(np.empty((0, 0)), np.inf)
