"""Kernels of exact forests: plan, grow, carry out, predict."""
