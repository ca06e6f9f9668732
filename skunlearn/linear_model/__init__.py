"""Linear models that forget."""
