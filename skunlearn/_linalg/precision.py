"""The precision of the arithmetic that error estimates are about."""

import numpy as np

# Distance from 1 to the next float64; an operation rounds by half of it, relatively, at most.
EPS = float(np.finfo(np.float64).eps)
