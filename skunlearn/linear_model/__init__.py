"""Linear models that forget, under the names of :mod:`sklearn.linear_model`."""

from skunlearn.linear_model._linear_regression import LinearRegression
from skunlearn.linear_model._logistic import LogisticRegression
from skunlearn.linear_model._ridge import Ridge

__all__ = ["LinearRegression", "LogisticRegression", "Ridge"]
