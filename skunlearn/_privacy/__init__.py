"""Differential privacy: accounts and secret noise."""
