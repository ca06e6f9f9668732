"""Ensembles that forget."""

from skunlearn.ensemble._forest_classifier import UnlearningForestClassifier
from skunlearn.ensemble._forest_regressor import UnlearningForestRegressor
from skunlearn.ensemble._sisa_classifier import SISAClassifier
from skunlearn.ensemble._sisa_regressor import SISARegressor

__all__ = [
    "SISAClassifier",
    "SISARegressor",
    "UnlearningForestClassifier",
    "UnlearningForestRegressor",
]
