"""Preprocessing that forgets, under the names of :mod:`sklearn.preprocessing`."""

from skunlearn.preprocessing._max_abs_scaler import MaxAbsScaler
from skunlearn.preprocessing._min_max_scaler import MinMaxScaler
from skunlearn.preprocessing._robust_scaler import RobustScaler
from skunlearn.preprocessing._standard_scaler import StandardScaler

__all__ = ["MaxAbsScaler", "MinMaxScaler", "RobustScaler", "StandardScaler"]
