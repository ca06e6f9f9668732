"""The dimension of a principal subspace."""

from __future__ import annotations

import numpy as np
from scipy import special


def dimension_of_largest_evidence(variance: np.ndarray, n_samples: int) -> int:
    """Find the number of components of largest evidence, by Laplace's method.

    Parameters
    ----------
    variance : ndarray of shape (n_features,)
        Eigenvalues of the covariance, decreasing.

    n_samples : int

    Returns
    -------
    n_components : int
        At most n_features - 1.

    References
    ----------
    Minka: Automatic choice of dimensionality for PCA, NeurIPS 2000, equation 30.
    """
    n = variance.size
    ranks = np.arange(1, n)
    dimensions = 0.5 * (n - ranks + 1)
    evidence = np.full(n, -np.inf)
    log_prior = np.cumsum(special.gammaln(dimensions) - np.log(np.pi) * dimensions - np.log(2.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = variance[:, None] - variance
        for rank in ranks[variance[:-1] >= 1e-15].tolist():
            noise = max(1e-15, variance[rank:].mean())
            precision = 1.0 / np.append(variance[:rank], np.full(n - rank, noise))
            pairs = np.triu_indices(rank, 1, n)
            volume = np.log(gaps[pairs] * (precision[pairs[1]] - precision[pairs[0]])).sum()
            n_pairs = pairs[0].size
            evidence[rank] = (
                log_prior[rank - 1]
                - 0.5 * n_samples * (np.log(variance[:rank]).sum() + (n - rank) * np.log(noise))
                + 0.5 * np.log(2.0 * np.pi) * (n_pairs + rank)
                - 0.5 * (volume + n_pairs * np.log(n_samples))
                - 0.5 * rank * np.log(n_samples)
            )
    return int(evidence.argmax())
