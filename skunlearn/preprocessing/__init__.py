"""Preprocessing that forgets, under the names of :mod:`sklearn.preprocessing`."""

from skunlearn.preprocessing._k_bins_discretizer import KBinsDiscretizer
from skunlearn.preprocessing._max_abs_scaler import MaxAbsScaler
from skunlearn.preprocessing._min_max_scaler import MinMaxScaler
from skunlearn.preprocessing._quantile_transformer import QuantileTransformer
from skunlearn.preprocessing._robust_scaler import RobustScaler
from skunlearn.preprocessing._standard_scaler import StandardScaler

__all__ = [
    "KBinsDiscretizer",
    "MaxAbsScaler",
    "MinMaxScaler",
    "QuantileTransformer",
    "RobustScaler",
    "StandardScaler",
]
