"""Preprocessing that forgets, under the names of :mod:`sklearn.preprocessing`."""

from skunlearn.preprocessing._one_hot_encoder import OneHotEncoder
from skunlearn.preprocessing._ordinal_encoder import OrdinalEncoder
from skunlearn.preprocessing._standard_scaler import StandardScaler

__all__ = ["OneHotEncoder", "OrdinalEncoder", "StandardScaler"]
