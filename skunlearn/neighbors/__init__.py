"""Nearest neighbours that forget, under the names of :mod:`sklearn.neighbors`."""

from skunlearn.neighbors._classifier import KNeighborsClassifier
from skunlearn.neighbors._regressor import KNeighborsRegressor

__all__ = ["KNeighborsClassifier", "KNeighborsRegressor"]
