"""The precision of the arithmetic that error estimates are about."""

from typing import Any

import numpy as np
from scipy import sparse

# Distance from 1 to the next float64; an operation rounds by half of it, relatively, at most.
EPS = float(np.finfo(np.float64).eps)


def width_of(X: Any) -> int:
    """Return how many products a row and a vector have at most."""
    if sparse.issparse(X):
        return int(np.diff(X.indptr).max(initial=0))
    return int(X.shape[1])


def heights_of(X: Any) -> np.ndarray:
    """Return how many products a column and a vector have at most, shape (n_columns,)."""
    if sparse.issparse(X):
        return np.bincount(X.indices, minlength=X.shape[1]).astype(np.float64)
    return np.full(X.shape[1], float(X.shape[0]))
