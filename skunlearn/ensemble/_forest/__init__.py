"""Exact random forests."""
