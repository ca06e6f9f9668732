"""Clustering that forgets."""

from skunlearn.cluster._quantized_k_means import QuantizedKMeans

__all__ = ["QuantizedKMeans"]
