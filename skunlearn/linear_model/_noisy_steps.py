"""Steps of projected noisy gradient descent, and the rows for which they are accounted for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._privacy.noise import secret_normal
from skunlearn.linear_model._noisy_accounting import Descent


def noisy_steps(
    descent: Descent,
    gradient: Callable[[np.ndarray], np.ndarray],
    theta: np.ndarray,
    n_steps: int,
    seed: bytes,
) -> np.ndarray:
    """Take projected noisy gradient steps.

    Parameters
    ----------
    descent : Descent
        Step size, penalty, noise and radius.

    gradient : callable
        Gradient of the mean loss of the rows, without the penalty.

    theta : ndarray of shape (n_params,)
        Where to start; not changed.

    n_steps : int

    seed : bytes
        Of the noise of all steps.

    Returns
    -------
    theta : ndarray of shape (n_params,)
    """
    rate, noise = descent.step_size, descent.step_noise
    for step in range(n_steps):
        theta = theta - rate * (gradient(theta) + descent.alpha * theta)
        if noise:
            theta += noise * secret_normal(seed, b"step %d" % step, theta.size)
            theta *= descent.radius / max(float(np.linalg.norm(theta)), descent.radius)
    return theta


def clipped(X: Any, bound: float) -> Any:
    """Scale rows that are longer than the bound down to it, in a way that no other row changes."""
    if sparse.issparse(X):
        X = sparse.csr_array(X, copy=True)
        X.sum_duplicates()
        norms = np.sqrt(sparse.csr_array((X.data**2, X.indices, X.indptr), X.shape).sum(axis=1))
        X.data *= np.repeat(bound / np.maximum(norms, bound), np.diff(X.indptr))
        return X
    norms = np.sqrt(np.cumsum(X * X, axis=1)[:, -1])  # in the order of columns, for any table
    return X * (bound / np.maximum(norms, bound))[:, None]
