"""Numba kernels: pure functions on arrays that import nothing of ours but each other."""
