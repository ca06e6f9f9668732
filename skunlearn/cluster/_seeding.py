"""Seeds of k-means that change only if one of the rows that were up for seed leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skunlearn._kernels.lloyd import gaps_to
from skunlearn._samples.hashing import hash_rows_for, mix64
from skunlearn.cluster._sums import add_up_gaps, no_sums, sums_of_gaps

# Rounding of a logarithm may depend on the position in an array; a round too many does no harm.
_SLACK = 1.0 + 1e-9


@dataclass(frozen=True, slots=True)
class Seeding:
    """One exponential race among the rows held for each seed: greedy k-means++ [1]_ by ids.

    In each round row i arrives at time ``E_i / D_i**2``. Here ``E_i`` is exponentially distributed,
    a function of the model's seed, the round and the row's id alone, and ``D_i`` is its distance
    from the nearest earlier seed. So the first to arrive is row i with probability proportional to
    ``D_i**2``, and who arrives late does not matter. Of the first few, that one becomes the seed
    which leaves the least sum of ``D**2``.

    Parameters
    ----------
    times : ndarray of shape (n_clusters,), float64
        When the last candidate of each round arrived.

    candidates : ndarray of shape (n_clusters, n_candidates, n_features), float64
        In the order of arrival.

    sums : ndarray of shape (3, n_clusters, n_candidates + 1), int64
        Exact sums of ``D**2`` that each candidate leaves.

    References
    ----------
    .. [1] Arthur, Vassilvitskii: k-means++: the advantages of careful seeding, SODA 2007,
       sections 2.2 and 7.
    """

    times: np.ndarray
    candidates: np.ndarray
    sums: np.ndarray

    @classmethod
    def nothing(cls, n_features: int) -> Seeding:
        """Return the state before the first round."""
        return cls(np.empty(0), np.empty((0, 0, n_features)), no_sums(0, 0))

    def choices(self) -> np.ndarray:
        """Return the position of each seed among its candidates."""
        return sums_of_gaps(self.sums).argmin(axis=1)

    def seeds(self) -> np.ndarray:
        """Return the seeds, shape (n_clusters, n_features)."""
        choices = self.choices()
        return self.candidates[np.arange(choices.size), choices]

    def until(
        self,
        n_clusters: int,
        seed: int,
        purpose: str,
        X: np.ndarray,
        rows: np.ndarray,
        ids: np.ndarray,
    ) -> Seeding:
        """Go on among rows, whose ids have the hashes `ids`, until there are enough seeds."""
        base = hash_rows_for(seed, purpose, ids)
        n_candidates = min(2 + int(np.log(n_clusters)), rows.size)
        times, candidates = list(self.times), list(self.candidates)
        sums = list(self.sums.swapaxes(0, 1)[:, :, np.newaxis])
        least = np.full(rows.size, np.inf)
        if times:
            least = gaps_to(X, rows, self.seeds()).min(axis=0)
        for turn in range(len(times), n_clusters):
            arrivals = _arrivals(base, np.array([turn]), least if turn else np.ones(rows.size))[0]
            last = np.partition(arrivals, n_candidates - 1)[n_candidates - 1]
            early = np.flatnonzero(arrivals <= last)
            early = early[np.argsort(arrivals[early], kind="stable")[:n_candidates]]
            points = X[rows[early]] + np.float64(0.0)  # which makes one zero of two
            gaps = np.minimum(least, gaps_to(X, rows, points))
            left = add_up_gaps(no_sums(1, n_candidates), gaps.T)
            times.append(last)
            candidates.append(points)
            sums.append(left)
            least = gaps[sums_of_gaps(left)[0].argmin()]
        return Seeding(np.array(times), np.stack(candidates), np.concatenate(sums, axis=1))

    def without(
        self,
        seed: int,
        purpose: str,
        X: np.ndarray,
        rows: np.ndarray,
        ids: np.ndarray,
        n_kept: int,
    ) -> Seeding:
        """Return the rounds, from the first on, that would be the same without some of the rows."""
        n_clusters, n_candidates, n_features = self.candidates.shape
        if n_kept < n_candidates:
            return self.nothing(n_features)
        points = self.candidates.reshape(-1, n_features)
        choices = self.choices()
        gaps = gaps_to(X, rows, points).reshape(n_clusters, n_candidates, -1)
        to_seeds = gaps[np.arange(n_clusters), choices]
        least = np.minimum.accumulate(to_seeds, axis=0)[:-1]
        least = np.concatenate([np.full((1, rows.size), np.inf), least])
        base = hash_rows_for(seed, purpose, ids)
        weights = np.where(np.isinf(least), 1.0, least)
        arrivals = _arrivals(base, np.arange(n_clusters), weights).min(axis=1)
        gaps = np.minimum(least[:, np.newaxis], gaps).swapaxes(1, 2).reshape(-1, n_candidates)
        sums = add_up_gaps(self.sums, gaps, np.arange(n_clusters).repeat(rows.size), -1)
        left = Seeding(self.times.copy(), self.candidates.copy(), sums)
        changed = np.flatnonzero((arrivals <= self.times * _SLACK) | (left.choices() != choices))
        return left._first(changed[0]) if changed.size else left

    def _first(self, n_rounds: int) -> Seeding:
        if not n_rounds:
            return self.nothing(self.candidates.shape[2])
        return Seeding(
            self.times[:n_rounds].copy(),
            self.candidates[:n_rounds].copy(),
            self.sums[:, :n_rounds].copy(),
        )


def _arrivals(base: np.ndarray, turns: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Return the time at which each row arrives in each round, shape (n_rounds, n_rows)."""
    bits = mix64(base ^ mix64(turns.astype(np.uint64))[:, np.newaxis])
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    with np.errstate(divide="ignore"):
        return -np.log(uniform) / gaps
