"""Ensembles that forget."""
