"""Feature extraction that forgets; see :mod:`skunlearn.feature_extraction.text`."""

from skunlearn.feature_extraction import text

__all__ = ["text"]
