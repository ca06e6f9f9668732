"""The Gaussian model of which principal components are the maximum-likelihood estimate."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from skunlearn._linalg.eigenvectors import spectrum
from skunlearn._linalg.precision import EPS
from skunlearn._validation import validate_data
from skunlearn.base import reads_one_version


class GenerativeModelMixin:
    """Covariance and likelihood by the components, and noise in every other direction.

    References
    ----------
    .. [1] Tipping, Bishop: Mixtures of probabilistic principal component analyzers, Neural
       Computation 11(2), 1999.
    """

    whiten: bool
    components_: np.ndarray
    explained_variance_: np.ndarray
    mean_: np.ndarray
    noise_variance_: float

    def _loadings(self) -> np.ndarray:
        """Return components times the standard deviation that `whiten` takes out."""
        if self.whiten:
            return np.sqrt(self.explained_variance_)[:, None] * self.components_
        return self.components_

    @reads_one_version
    def get_covariance(self) -> np.ndarray:
        """Compute the covariance of the generative model.

        Returns
        -------
        covariance : ndarray of shape (n_features, n_features)
            That of the components, and `noise_variance_` in every other direction.
        """
        check_is_fitted(self)
        loadings = self._loadings()
        excess = np.maximum(self.explained_variance_ - self.noise_variance_, 0.0)
        covariance = (loadings.T * excess) @ loadings
        covariance.flat[:: len(covariance) + 1] += self.noise_variance_
        return covariance

    @reads_one_version
    def get_precision(self) -> np.ndarray:
        """Compute the inverse of the covariance of the generative model.

        Returns
        -------
        precision : ndarray of shape (n_features, n_features)
            Inverse of :meth:`get_covariance`; where that is singular, variances count as no less
            than machine epsilon times the largest.
        """
        check_is_fitted(self)
        noise = self.noise_variance_
        if noise == 0.0 or self.whiten:
            variance, axes = spectrum(self.get_covariance().astype(np.float64))
            floor = max(EPS * variance[0], np.finfo(np.float64).tiny)
            return (axes.T / np.maximum(variance, floor)) @ axes
        excess = np.maximum(self.explained_variance_ - noise, 0.0)
        gain = excess / (noise * (noise + excess))
        precision = -(self.components_.T * gain) @ self.components_
        precision.flat[:: len(precision) + 1] += 1.0 / noise
        return precision

    @reads_one_version
    def score_samples(self, X: Any) -> np.ndarray:
        """Compute the log-likelihood of each row under the generative model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            Natural logarithms of densities.
        """
        check_is_fitted(self)
        X = validate_data(
            self, X, dtype=[np.float64, np.float32], accept_sparse=["csr", "csc"], reset=False
        )
        gaps = (X.toarray() if sparse.issparse(X) else X) - self.mean_
        precision = self.get_precision()
        distance = (gaps * (gaps @ precision)).sum(axis=1)
        volume = X.shape[1] * np.log(2.0 * np.pi) - np.linalg.slogdet(precision)[1]
        return -0.5 * (distance + volume)

    @reads_one_version
    def score(self, X: Any, y: Any = None) -> float:
        """Compute the mean log-likelihood of rows under the generative model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : None
            Ignored.

        Returns
        -------
        score : float
            Mean of :meth:`score_samples`.
        """
        return float(self.score_samples(X).mean())
