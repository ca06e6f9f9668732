"""Ensembles that forget."""

from skunlearn.ensemble._forest_classifier import UnlearningForestClassifier
from skunlearn.ensemble._forest_regressor import UnlearningForestRegressor
from skunlearn.ensemble._private_forest_classifier import DPForestClassifier
from skunlearn.ensemble._private_forest_regressor import DPForestRegressor
from skunlearn.ensemble._sisa_classifier import SISAClassifier
from skunlearn.ensemble._sisa_regressor import SISARegressor
from skunlearn.ensemble._tree_changes import UnlearningCost

__all__ = [
    "DPForestClassifier",
    "DPForestRegressor",
    "SISAClassifier",
    "SISARegressor",
    "UnlearningCost",
    "UnlearningForestClassifier",
    "UnlearningForestRegressor",
]
