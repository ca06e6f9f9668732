"""Preprocessing that forgets, under the names of :mod:`sklearn.preprocessing`."""

from skunlearn.preprocessing._k_bins_discretizer import KBinsDiscretizer
from skunlearn.preprocessing._label_binarizer import LabelBinarizer
from skunlearn.preprocessing._label_encoder import LabelEncoder
from skunlearn.preprocessing._max_abs_scaler import MaxAbsScaler
from skunlearn.preprocessing._min_max_scaler import MinMaxScaler
from skunlearn.preprocessing._one_hot_encoder import OneHotEncoder
from skunlearn.preprocessing._ordinal_encoder import OrdinalEncoder
from skunlearn.preprocessing._power_transformer import PowerTransformer
from skunlearn.preprocessing._quantile_transformer import QuantileTransformer
from skunlearn.preprocessing._robust_scaler import RobustScaler
from skunlearn.preprocessing._standard_scaler import StandardScaler
from skunlearn.preprocessing._target_encoder import TargetEncoder

__all__ = [
    "KBinsDiscretizer",
    "LabelBinarizer",
    "LabelEncoder",
    "MaxAbsScaler",
    "MinMaxScaler",
    "OneHotEncoder",
    "OrdinalEncoder",
    "PowerTransformer",
    "QuantileTransformer",
    "RobustScaler",
    "StandardScaler",
    "TargetEncoder",
]
