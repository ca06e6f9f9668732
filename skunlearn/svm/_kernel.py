"""Kernel values between rows, for the kernels of support vector machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

NAMES = ("linear", "poly", "rbf", "sigmoid")

# Kernel values computed at a time, at most.
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Kernel:
    """A kernel with its parameters; calling it gives the matrix of values between two tables.

    Parameters
    ----------
    function : {'linear', 'poly', 'rbf', 'sigmoid'} or callable
        A callable takes two tables and returns the matrix.

    gamma, degree, coef0 : float
        Parameters of the named kernels.
    """

    function: str | Callable[[Any, Any], Any]
    gamma: float
    degree: float
    coef0: float

    def __call__(self, X: Any, Y: Any) -> np.ndarray:
        """Compute the values between the rows of X and those of Y, in float64."""
        if callable(self.function):
            return _values_of(self.function, X, Y)
        values = X @ Y.T
        if sparse.issparse(values):
            values = values.toarray()
        if self.function == "linear":
            return values
        if self.function == "rbf":
            values *= 2.0
            values -= _squares(Y)
            values -= _squares(X)[:, np.newaxis]
            np.minimum(values, 0.0, out=values)
            values *= self.gamma
            return np.exp(values, out=values)
        values *= self.gamma
        values += self.coef0
        if self.function == "sigmoid":
            return np.tanh(values, out=values)
        return np.power(values, self.degree, out=values)

    def times(self, X: Any, Y: Any, coef: np.ndarray) -> np.ndarray:
        """Multiply the matrix of values with `coef`, shape (n_rows_of_Y, n_columns), in blocks."""
        size = max(1, _BLOCK // max(1, Y.shape[0]))
        if X.shape[0] <= size:
            return self(X, Y) @ coef
        blocks = range(0, X.shape[0], size)
        return np.concatenate([self(X[start : start + size], Y) @ coef for start in blocks])


def _squares(X: Any) -> np.ndarray:
    if sparse.issparse(X):
        return np.asarray(X.multiply(X).sum(axis=1), dtype=np.float64).ravel()
    return np.einsum("ij,ij->i", X, X)


def gamma_of(gamma: float | str, X: Any) -> float:
    """Return the `gamma` that the parameter stands for on rows X.

    Parameters
    ----------
    gamma : float or {'scale', 'auto'}
        The parameter.

    X : ndarray or CSR array of shape (n_samples, n_features)
        All rows that are fitted on.
    """
    if not isinstance(gamma, str):
        return float(gamma)
    if gamma == "auto":
        return 1.0 / X.shape[1]
    if sparse.issparse(X):
        variance = X.multiply(X).mean() - X.mean() ** 2
    else:
        variance = X.var()
    return 1.0 / (X.shape[1] * float(variance)) if variance != 0.0 else 1.0


def _values_of(function: Callable[[Any, Any], Any], X: Any, Y: Any) -> np.ndarray:
    """Compute a kernel of the user's, and check what it gives."""
    try:
        values = np.asarray(function(X, Y), dtype=np.float64)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"The kernel {function!r} failed: {error}") from error
    if values.shape != (X.shape[0], Y.shape[0]):
        raise ValueError(
            f"The kernel {function!r} must give a matrix of shape "
            f"{(X.shape[0], Y.shape[0])}; it gave {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"The kernel {function!r} gave values that are not finite numbers.")
    return values
