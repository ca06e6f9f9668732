"""Imputation that forgets, under the names of :mod:`sklearn.impute`."""

from skunlearn.impute._simple_imputer import SimpleImputer

__all__ = ["SimpleImputer"]
