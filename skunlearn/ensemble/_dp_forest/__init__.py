"""Differentially private forests."""
