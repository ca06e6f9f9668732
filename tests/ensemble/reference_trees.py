"""Trees grown in plain Python, as slowly and clearly as possible; the kernels must equal them."""

import math
import struct
from fractions import Fraction

import numpy as np

MASK = (1 << 64) - 1


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def child_key(key, left):
    return mix(key ^ (0x14057B7EF767814F if left else 0x5851F42D4C957F2D))


def features_in_order(key, n_features):
    """Yield features in hashed order, each with the hash that its candidates come from."""
    order = list(range(n_features))
    for drawn in range(n_features):
        h = mix((key + drawn) & MASK)
        at = drawn + ((h >> 32) * (n_features - drawn) >> 32)
        order[drawn], order[at] = order[at], order[drawn]
        yield order[drawn], h


def thresholds(low, high, h, n_candidates):
    """Lay a lattice whose step is a power of two; the first threshold is the least above `low`."""
    shift = Fraction(2 * (mix(h) >> 44) + 1, 1 << 21)
    step = Fraction(2) ** math.frexp((high - low) / n_candidates)[1]
    first = math.ceil(Fraction(low) / step - shift)
    return [below((first + j + shift) * step) for j in range(n_candidates)]


def below(point):
    """Return the largest float32 that is not above a point."""
    t = np.float32(float(point))
    return float(np.nextafter(t, np.float32(-np.inf)) if Fraction(float(t)) > point else t)


def position(value, number):
    """Return the position of a category in an order."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    factor = number * 0x9E3779B1 & 0xFFFFFFFF
    factor = factor ^ factor >> 16 | 1
    return float((bits * factor & 0xFFFFFFFF) >> 12) if value == value else math.nan


def order_threshold(number, threshold):
    last = min(math.floor(threshold), (1 << 20) - 1)
    return struct.unpack("<f", struct.pack("<I", number << 20 | last))[0]


def candidates(column, categorical, h, n_candidates):
    """Yield thresholds and which rows go left, missing values undecided."""
    number = h & 0xBFF
    if categorical:
        column = np.array([position(v, number) for v in column.tolist()])
    seen = column[~np.isnan(column)]
    if seen.size and seen.min() < seen.max():
        before = None
        for t in thresholds(float(seen.min()), float(seen.max()), h, n_candidates):
            left = column <= t
            if before is None or (left != before).any():
                yield order_threshold(number, t) if categorical else t, left
            before = left
    if seen.size < column.size:
        yield math.inf, ~np.isnan(column)


class Reference:
    """Grows trees; `stats` has for each row what a node sums up, `merit` rates a division.

    Nodes of equal values are leaves, and a split into two of them may be known to be the best.
    """

    def __init__(self, X, is_categorical, stats, values, stops_early, merit, rules):
        self.X, self.is_categorical, self.stats, self.values = X, is_categorical, stats, values
        self.stops_early, self.merit, self.rules = stops_early, merit, rules

    def is_pure(self, rows):
        return (self.values[rows] == self.values[rows[:1]]).all()

    def split(self, rows, key):
        """Return feature, threshold, where missing values go, and who goes left."""
        best, n_tried = (-math.inf,), 0
        for f, h in features_in_order(key, self.X.shape[1]):
            column = self.X[rows, f]
            missing = np.isnan(column)
            if missing.all() or (column == column[0]).all():
                continue
            if n_tried == self.rules.max_features:
                break
            n_tried += 1
            for t, left in candidates(column, self.is_categorical[f], h, self.rules.n_candidates):
                for with_missing in (False, True) if missing.any() and t < math.inf else (False,):
                    sides = left | missing if with_missing else left
                    n_remaining = int(sides.sum())
                    n_right = rows.size - n_remaining
                    if min(n_remaining, n_right) < self.rules.min_samples_leaf:
                        continue
                    merit = self.merit(self.sums(rows[sides]), self.sums(rows))
                    perfect = self.stops_early and all(
                        map(self.is_pure, (rows[sides], rows[~sides]))
                    )
                    if merit > best[0] or perfect:
                        nan_left = with_missing if missing.any() else n_remaining >= n_right
                        best = (merit, f, t, nan_left, sides)
                    if perfect:
                        return best[1:]
        return best[1:] or None

    def sums(self, rows):
        return [sum(column) for column in zip(*(self.stats[row] for row in rows), strict=True)]

    def grow(self, rows, key, depth=0):
        """Return nested (sums, feature, threshold, nan_left, left, right); leaves: (sums, rows)."""
        rows = np.sort(rows)
        if not rows.size:
            return [0] * len(self.stats[0]), []
        split = None
        if (
            rows.size >= self.rules.min_samples_split
            and depth < self.rules.max_depth
            and not self.is_pure(rows)
        ):
            split = self.split(rows, key)
        if split is None:
            return self.sums(rows), rows.tolist()
        f, t, nan_left, left = split
        return (
            self.sums(rows),
            f,
            t,
            bool(nan_left),
            self.grow(rows[left], child_key(key, True), depth + 1),
            self.grow(rows[~left], child_key(key, False), depth + 1),
        )


def nested(nodes, stats, rows_of, node=0):
    """Turn the arrays of a tree into the form of :meth:`Reference.grow`."""
    here = nodes[node]
    if here["left"] == node:
        return stats[node].tolist(), rows_of(node)
    feature = int(here["feature"])
    by = ~feature if feature < 0 else feature
    left = int(here["left"])
    return (
        stats[node].tolist(),
        by,
        float(here["threshold"]),
        feature < 0,
        nested(nodes, stats, rows_of, left),
        nested(nodes, stats, rows_of, left + 1),
    )
