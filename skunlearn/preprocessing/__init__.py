"""Preprocessing that forgets, under the names of :mod:`sklearn.preprocessing`."""

from skunlearn.preprocessing._label_binarizer import LabelBinarizer
from skunlearn.preprocessing._label_encoder import LabelEncoder
from skunlearn.preprocessing._one_hot_encoder import OneHotEncoder
from skunlearn.preprocessing._ordinal_encoder import OrdinalEncoder
from skunlearn.preprocessing._standard_scaler import StandardScaler
from skunlearn.preprocessing._target_encoder import TargetEncoder

__all__ = [
    "LabelBinarizer",
    "LabelEncoder",
    "OneHotEncoder",
    "OrdinalEncoder",
    "StandardScaler",
    "TargetEncoder",
]
