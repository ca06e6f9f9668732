"""Eigenvectors made unique: in descending order, each with a sign that rounding cannot flip."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, lapack

# Entries within this share of the largest one count as tied with it.
_TIE = 1e-9


def with_steady_signs(vectors: np.ndarray) -> np.ndarray:
    """Flip rows so that the first of their largest entries is positive, in place.

    Where no two entries are tied in size this is the rule of scikit-learn's PCA; where they are,
    as the loadings of two standardized columns are, its choice would depend on rounding.

    Parameters
    ----------
    vectors : ndarray of shape (n_vectors, n_features)

    Returns
    -------
    vectors : ndarray of shape (n_vectors, n_features)
        The same array.
    """
    if vectors.size:
        size = np.abs(vectors)
        largest = size.max(axis=1)
        first = (size >= (1.0 - _TIE) * largest[:, None]).argmax(axis=1)
        negative = vectors[np.arange(len(vectors)), first] < 0.0
        vectors[negative] *= -1.0
    return vectors


def spectrum(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decompose a symmetric positive semi-definite matrix.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), dtype float64

    Returns
    -------
    values : ndarray of shape (n,)
        Eigenvalues, the largest first, none negative.

    vectors : ndarray of shape (n, n)
        The eigenvectors as rows, with signs as they come.

    Raises
    ------
    scipy.linalg.LinAlgError
        If the decomposition does not converge, as where entries are not finite.
    """
    values, vectors, failed = lapack.dsyevd(matrix.T)
    if failed:
        raise LinAlgError("The eigenvalues of the covariance matrix did not converge.")
    return np.maximum(values[::-1], 0.0), vectors.T[::-1]


def smallest_gap(values: np.ndarray, n_vectors: int) -> float:
    """Return the smallest distance of the first values to any other, as a share of the largest.

    Rounding errors turn the vectors that belong to them by its inverse.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        In descending order.

    n_vectors : int
        How many vectors are of interest.
    """
    steps = values[:n_vectors] - np.append(values, 0.0)[1 : n_vectors + 1]
    if n_vectors == values.size:
        steps = steps[:-1]
    if not steps.size:
        return 1.0
    return float(steps.min() / values[0]) if values[0] > 0.0 else 0.0
