"""Ensembles that forget."""

from skunlearn.ensemble._dp_forest_classifier import DPForestClassifier
from skunlearn.ensemble._dp_forest_regressor import DPForestRegressor
from skunlearn.ensemble._forest.change import ForestUnlearningCost
from skunlearn.ensemble._forest_classifier import UnlearningForestClassifier
from skunlearn.ensemble._forest_regressor import UnlearningForestRegressor
from skunlearn.ensemble._sisa_classifier import SISAClassifier
from skunlearn.ensemble._sisa_regressor import SISARegressor

__all__ = [
    "DPForestClassifier",
    "DPForestRegressor",
    "ForestUnlearningCost",
    "SISAClassifier",
    "SISARegressor",
    "UnlearningForestClassifier",
    "UnlearningForestRegressor",
]
