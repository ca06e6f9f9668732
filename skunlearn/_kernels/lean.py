"""How kernels are compiled that are quick to compile: they allocate nothing.

So arrays in them need no reference counts, which cost more than what small nodes compute, and all
that can fail happens outside. Whoever calls has made all that they work on, and keeps it alive.
"""

from numba import njit

_LEAN = {"cache": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}

# A kernel that Python calls; other threads run meanwhile.
entry = njit(nogil=True, **_LEAN)

# A kernel that only kernels call: it has no entrance for Python, whose call would crash. To try one
# in Python, compile its `py_func`.
part = njit(no_cpython_wrapper=True, **_LEAN)

# A kernel of a few numbers, for which an entrance costs nothing.
formula = njit(**_LEAN)

# A kernel that is spelled out where it is called, so mostly called in one place.
spelled_out = njit(inline="always", **_LEAN)
