"""Preprocessing that forgets, under the names of :mod:`sklearn.preprocessing`."""

from skunlearn.preprocessing._power_transformer import PowerTransformer
from skunlearn.preprocessing._standard_scaler import StandardScaler

__all__ = ["PowerTransformer", "StandardScaler"]
