"""Feature selection that forgets, under the names of :mod:`sklearn.feature_selection`."""

from sklearn.feature_selection import chi2, f_classif, f_regression

from skunlearn.feature_selection._fdr import SelectFdr
from skunlearn.feature_selection._fpr import SelectFpr
from skunlearn.feature_selection._fwe import SelectFwe
from skunlearn.feature_selection._generic import GenericUnivariateSelect
from skunlearn.feature_selection._k_best import SelectKBest
from skunlearn.feature_selection._percentile import SelectPercentile
from skunlearn.feature_selection._variance_threshold import VarianceThreshold

__all__ = [
    "GenericUnivariateSelect",
    "SelectFdr",
    "SelectFpr",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "VarianceThreshold",
    "chi2",
    "f_classif",
    "f_regression",
]
