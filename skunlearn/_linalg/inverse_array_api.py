"""Positive definite systems on the device of the rows: kernels, factors and inverses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from skunlearn._array_api import namespace, to_device, to_host
from skunlearn._linalg.inverse import LEAST_SHARE, Downdate, Inverse
from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import NO_ROWS, drop
from skunlearn._unlearning.commit import Replacement


def _products(X: Any, Y: Any) -> Any:
    return X @ Y.T


def _squared_distances(X: Any, Y: Any) -> Any:
    xp = namespace(X)
    squares = xp.sum(X * X, axis=1)[:, None] + xp.sum(Y * Y, axis=1)[None, :] - 2.0 * (X @ Y.T)
    squares = xp.where(squares > 0.0, squares, xp.zeros_like(squares))
    if X is Y:
        squares = squares * (1.0 - to_device(np.eye(X.shape[0]), X))
    return squares


def _cosines(X: Any, Y: Any) -> Any:
    xp = namespace(X)
    norms = [xp.sqrt(xp.sum(part * part, axis=1)) for part in (X, Y)]
    norms = [xp.where(norm > 0.0, norm, xp.ones_like(norm)) for norm in norms]
    return (X @ Y.T) / norms[0][:, None] / norms[1][None, :]


KERNELS: dict[str, Callable[..., Any]] = {
    "linear": lambda X, Y, gamma, degree, coef0: _products(X, Y),
    "rbf": lambda X, Y, gamma, degree, coef0: namespace(X).exp(-gamma * _squared_distances(X, Y)),
    "poly": lambda X, Y, gamma, degree, coef0: (gamma * _products(X, Y) + coef0) ** degree,
    "sigmoid": lambda X, Y, gamma, degree, coef0: namespace(X).tanh(
        gamma * _products(X, Y) + coef0
    ),
    "cosine": lambda X, Y, gamma, degree, coef0: _cosines(X, Y),
}
KERNELS["polynomial"] = KERNELS["poly"]


def kernel_matrix(
    X: Any, Y: Any, name: Any, *, gamma: float | None, degree: float, coef0: float
) -> Any:
    """Compute a kernel of rows where they are, in float64.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
        Of another namespace than NumPy's.

    Y : array of shape (n_others, n_features) or None
        None for X itself.

    name : str
        One of `KERNELS`.

    gamma, degree, coef0 : float
        As in :mod:`sklearn.metrics.pairwise`.

    Returns
    -------
    matrix : array of shape (n_rows, n_others)

    Raises
    ------
    ValueError
        If the kernel is another.
    """
    if not isinstance(name, str) or name not in KERNELS:
        raise ValueError(
            f"The kernel {name!r} needs NumPy arrays. Kernels for arrays of other libraries: "
            f"{', '.join(KERNELS)}."
        )
    xp = namespace(X)
    X = xp.astype(X, xp.float64, copy=False)
    Y = X if Y is None else xp.astype(Y, xp.float64, copy=False)
    return KERNELS[name](X, Y, 1.0 / X.shape[1] if gamma is None else gamma, degree, coef0)


class DeviceFactor:
    """What is asked of a symmetric positive definite matrix on a device.

    Parameters
    ----------
    matrix : array of shape (n, n), float64

    Attributes
    ----------
    failed : bool
        Whether the matrix is not positive definite.
    """

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix
        self._inverse: Any = None
        self.failed = not _is_definite(matrix)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for right-hand sides on the host; by least squares where `failed`."""
        xp, right = namespace(self._matrix), to_device(right, self._matrix)
        if self.failed:
            return to_host(xp.linalg.pinv(self._matrix) @ right)
        return to_host(xp.linalg.solve(self._matrix, right))

    @property
    def error(self) -> float:
        """Machine epsilon times the condition number in the 1-norm; infinite if `failed`."""
        if self.failed:
            return np.inf
        return EPS * self.norm * _norm(self.inverse())

    @property
    def norm(self) -> float:
        """The 1-norm of the matrix."""
        return _norm(self._matrix)

    def inverse(self) -> Any:
        """Return the inverse of the matrix."""
        if self._inverse is None:
            inverse = namespace(self._matrix).linalg.inv(self._matrix)
            self._inverse = 0.5 * (inverse + inverse.T)
        return self._inverse


def _norm(matrix: Any) -> float:
    xp = namespace(matrix)
    return float(xp.max(xp.sum(xp.abs(matrix), axis=0)))


def _is_definite(matrix: Any) -> bool:
    xp = namespace(matrix)
    try:
        lower = xp.linalg.cholesky(matrix)
    except (RuntimeError, ValueError):
        return False
    # CuPy does not raise.
    return bool(xp.all(xp.isfinite(lower)))


class DeviceInverse(Inverse):
    """:class:`Inverse` of a matrix that is on a device."""

    def __init__(self, matrix: Any, error: float) -> None:
        n = matrix.shape[0]
        self._matrix = matrix
        self._taken = to_device(np.zeros((int(np.sqrt(n)), n)), matrix)
        self.n_taken = 0
        self.positions = np.arange(n)
        self.error = error
        self.settled = n > 0

    def wipe(self) -> None:
        """Overwrite everything, when the owner has no more use for it."""
        self.settled = False
        self._matrix[...] = 0.0
        self._taken[...] = 0.0

    def take_out(self, ranks: np.ndarray) -> DeviceDowndate | None:
        """Work out what changes when rows are taken out; changes nothing."""
        if not self.settled or 3 * ranks.size > self.positions.size:
            return None
        going = self.positions[ranks]
        columns = _picked(self._matrix, going, 0)
        before = to_host(_picked(columns, going, 1)).diagonal()
        if self.n_taken:
            taken = self._taken[: self.n_taken, :]
            columns = columns - _picked(taken, going, 1).T @ taken
        lower, info = lapack.dpotrf(to_host(_picked(columns, going, 1)), lower=True)
        if info:
            return None
        share = float((lower.diagonal() ** 2 / before).min())
        if share < LEAST_SHARE:
            return None
        whitening = linalg.solve_triangular(lower, np.eye(ranks.size), lower=True)
        rows = to_device(whitening, columns) @ columns
        return DeviceDowndate(self, rows, lower, drop(self.positions, ranks), self.error / share)

    def absorb(self, rows: Any, positions: np.ndarray) -> None:
        """Subtract what was taken out, so that nothing of it is left; unsettles the inverse."""
        self.settled = False
        keep = np.zeros(self._matrix.shape[0])
        keep[positions] = 1.0
        kept = to_device(keep, self._matrix)
        self._matrix -= rows.T @ rows
        self._matrix *= kept[:, None]
        self._matrix *= kept[None, :]
        self._taken[...] = 0.0

    def settling(self, positions: np.ndarray) -> Replacement:
        """Return the change that ends :meth:`absorb`."""
        state = {"n_taken": 0, "positions": positions, "error": self.error + EPS, "settled": True}
        if 2 * positions.size < self._matrix.shape[0]:
            matrix = _picked(_picked(self._matrix, positions, 0), positions, 1)
            state = vars(DeviceInverse(matrix, self.error + EPS))
        return Replacement(self, state, NO_ROWS)

    def taken(self) -> Any:
        """Copy what is still to be subtracted the square of."""
        return namespace(self._matrix).asarray(self._taken[: self.n_taken, :], copy=True)


class DeviceDowndate(Downdate):
    """:class:`Downdate` of an inverse that is on a device."""

    inverse: DeviceInverse

    def correction(self, gone: np.ndarray) -> np.ndarray:
        """Return what to subtract from the solution of the rows that stay, on the host."""
        whitened = lapack.dtrtrs(self._lower, gone, lower=True)[0].reshape(gone.shape)
        spread = to_device(np.ascontiguousarray(whitened.T), self._rows) @ self._rows
        return to_host(spread).T[self._positions]

    def replacement(self) -> tuple[Replacement, str]:
        """Prepare the change of the inverse, which is of no use until it is in force."""
        inverse, n_taken = self.inverse, self.inverse.n_taken
        n_after = n_taken + self._rows.shape[0]
        if n_after <= inverse._taken.shape[0]:
            inverse._taken[n_taken:n_after, :] = self._rows
            return Replacement(
                inverse, {"n_taken": n_after, "positions": self._positions}, NO_ROWS
            ), "output"
        xp = namespace(self._rows)
        inverse.absorb(xp.concat([inverse.taken(), self._rows], axis=0), self._positions)
        return inverse.settling(self._positions), "state"


def _picked(matrix: Any, positions: np.ndarray, axis: int) -> Any:
    """Copy rows or columns."""
    return namespace(matrix).take(matrix, to_device(positions, matrix), axis=axis)
