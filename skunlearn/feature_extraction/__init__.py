"""Feature extraction that forgets; see :mod:`skunlearn.feature_extraction.text`."""
