"""Discriminant analyses that forget, under the names of :mod:`sklearn.discriminant_analysis`."""

from skunlearn.discriminant_analysis._linear import LinearDiscriminantAnalysis
from skunlearn.discriminant_analysis._quadratic import QuadraticDiscriminantAnalysis

__all__ = ["LinearDiscriminantAnalysis", "QuadraticDiscriminantAnalysis"]
