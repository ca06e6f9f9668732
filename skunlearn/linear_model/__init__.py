"""Linear models that forget, under the names of :mod:`sklearn.linear_model`."""

from skunlearn.linear_model._linear_regression import LinearRegression
from skunlearn.linear_model._ridge import Ridge
from skunlearn.linear_model._ridge_classifier import RidgeClassifier

__all__ = ["LinearRegression", "Ridge", "RidgeClassifier"]
