"""Nearest neighbours and centroids that forget, under the names of :mod:`sklearn.neighbors`."""

from skunlearn.neighbors._classifier import KNeighborsClassifier
from skunlearn.neighbors._nearest_centroid import NearestCentroid
from skunlearn.neighbors._regressor import KNeighborsRegressor

__all__ = ["KNeighborsClassifier", "KNeighborsRegressor", "NearestCentroid"]
