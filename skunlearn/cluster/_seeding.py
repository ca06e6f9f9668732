"""Seeds of k-means that change only if one of them leaves."""

from __future__ import annotations

import numpy as np

from skunlearn._hashing import hash_rows_for, mix64
from skunlearn._kernels.lloyd import gaps_before, nearest

# Rounding of a logarithm may depend on the place in an array; a round too many does no harm.
_SLACK = 1.0 + 1e-9


class Race:
    """One exponential race among the rows held for each seed.

    In round r row i arrives at time ``E_i / D_i**2``, where ``E_i`` is exponentially distributed, a
    function of the model's seed, the round and the row's id alone, and ``D_i`` is its distance from
    the nearest earlier seed. The first to arrive is the next seed, so that this is row i with
    probability proportional to ``D_i**2``, as in k-means++ [1]_. Who arrives later does not matter.

    Parameters
    ----------
    seed : int
        Of the model.

    run : int
        Number of the run.

    References
    ----------
    .. [1] Arthur, Vassilvitskii: k-means++: the advantages of careful seeding, SODA 2007.
    """

    def __init__(self, seed: int, run: int) -> None:
        self._seed = seed
        self._purpose = f"seeds of run {run}"

    def _arrivals(self, id_hashes: np.ndarray, turns: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        """Return the time at which each row arrives in each round."""
        base = hash_rows_for(self._seed, self._purpose, id_hashes)
        bits = mix64(base ^ mix64(turns.astype(np.uint64))[:, np.newaxis])
        uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        with np.errstate(divide="ignore"):
            return -np.log(uniform) / gaps

    def seeds(
        self,
        X: np.ndarray,
        rows: np.ndarray,
        id_hashes: np.ndarray,
        n_clusters: int,
        times: np.ndarray,
        seeds: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose seeds among rows, after those of the first rounds.

        Parameters
        ----------
        X : ndarray of shape (n_slots, n_features)
        rows : ndarray of shape (n_rows,), intp
        id_hashes : ndarray of shape (n_rows,), uint64
        n_clusters : int
        times : ndarray of shape (n_rounds,), float64
            When the winners of the first rounds arrived.
        seeds : ndarray of shape (n_rounds, n_features), float64
            The winners.

        Returns
        -------
        times : ndarray of shape (n_clusters,), float64
        seeds : ndarray of shape (n_clusters, n_features), float64
        """
        n_rounds = times.size
        times = np.concatenate([times, np.empty(n_clusters - n_rounds)])
        seeds = np.concatenate([seeds, np.empty((n_clusters - n_rounds, X.shape[1]))])
        gaps = np.ones(rows.size)
        if n_rounds:
            gaps = nearest(X, rows, seeds[:n_rounds].T.copy())[1]
        for turn in range(n_rounds, n_clusters):
            arrivals = self._arrivals(id_hashes, np.array([turn]), gaps)[0]
            winner = arrivals.argmin()
            times[turn], seeds[turn] = arrivals[winner], X[rows[winner]]
            to_winner = nearest(X, rows, seeds[turn][:, np.newaxis].copy())[1]
            gaps = np.minimum(gaps, to_winner) if turn else to_winner
        return times, seeds

    def rounds_without(
        self,
        X: np.ndarray,
        rows: np.ndarray,
        id_hashes: np.ndarray,
        times: np.ndarray,
        seeds: np.ndarray,
    ) -> int:
        """Count the rounds, from the first on, that none of the rows has won."""
        turns = np.arange(times.size)
        arrivals = self._arrivals(id_hashes, turns, gaps_before(X, rows, seeds)).min(axis=1)
        won = np.flatnonzero(arrivals <= times * _SLACK)
        return int(won[0]) if won.size else times.size
