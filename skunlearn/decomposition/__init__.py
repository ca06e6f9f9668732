"""Decompositions that forget, under the names of :mod:`sklearn.decomposition`."""

from skunlearn.decomposition._pca import PCA

__all__ = ["PCA"]
