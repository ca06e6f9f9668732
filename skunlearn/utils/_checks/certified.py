"""Certified removal: an attack must not prove an epsilon above the one that is claimed."""

from __future__ import annotations

from typing import Any

import numpy as np

from skunlearn._privacy.accounting import epsilon_lower_bound
from skunlearn._unlearning.tags import get_unlearning_tags
from skunlearn.utils._checks.data import fitted, make_rows, some_ids
from skunlearn.utils._difference import public_attributes

N_MODELS = 160

# Probability that the check fails on an estimator that keeps its promise.
ALPHA = 1e-4


def _publication(model: Any) -> np.ndarray:
    """Return the float arrays among a model's public attributes, end to end."""
    arrays = [
        value.ravel()
        for value in public_attributes(model).values()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    ]
    return np.concatenate(arrays, dtype=np.float64) if arrays else np.empty(0)


def proved_epsilon(ours: np.ndarray, theirs: np.ndarray, delta: float, alpha: float) -> float:
    """Attack by the linear score that tells both worlds best, learned on every other release.

    Parameters
    ----------
    ours, theirs : ndarray of shape (n_releases, n_numbers)
        Releases after unlearning and after retraining.

    delta, alpha : float
        See :func:`skunlearn._privacy.accounting.epsilon_lower_bound`.

    Returns
    -------
    epsilon : float
        What the attack proves on the releases from which it has not learned.
    """
    learn = np.vstack([ours[::2], theirs[::2]])
    scale = learn.std(axis=0)
    varies = scale > 0.0
    sides = np.repeat([1.0, -1.0], [len(ours[::2]), len(theirs[::2])])
    centred = (learn[:, varies] - learn[:, varies].mean(axis=0)) / scale[varies]
    direction = np.linalg.lstsq(centred, sides, rcond=1e-9)[0] / scale[varies]
    scores = [releases[:, varies] @ direction for releases in (ours, theirs)]

    def proved(threshold: float, part: slice) -> float:
        above = [int((s[part] > threshold).sum()) for s in scores]
        sizes = [s[part].size for s in scores]
        return epsilon_lower_bound(above[0], sizes[0], above[1], sizes[1], delta=delta, alpha=alpha)

    middle = np.sort(np.concatenate([s[::2] for s in scores]))
    thresholds = 0.5 * (middle[1:] + middle[:-1])
    best = max(thresholds.tolist(), key=lambda threshold: proved(threshold, slice(0, None, 2)))
    return proved(best, slice(1, None, 2))


def check_certified_releases(name: str, estimator: Any, seed: int = 0) -> None:
    """Check that releases after unlearning cannot be told from those of retrained models."""
    rows = make_rows(estimator, seed)
    ids = some_ids(rows, np.random.default_rng(seed), 15)
    kept = rows.without(ids)
    first = 1000 * (seed + 1)
    models = [fitted(estimator, rows, first + i).unlearn(ids) for i in range(N_MODELS)]
    again = [fitted(estimator, kept, first + N_MODELS + i) for i in range(N_MODELS)]
    guarantee = models[0].unlearning_report_.guarantee
    ours, theirs = (np.array([_publication(m) for m in world]) for world in (models, again))
    proved = proved_epsilon(ours, theirs, guarantee.delta, ALPHA)
    if proved > guarantee.epsilon:
        raise AssertionError(
            f"{name}: an attack tells releases after unlearning from those of retrained models "
            f"with an epsilon of at least {proved:.3g}; {guarantee.epsilon:.3g} is claimed "
            f"(error probability {ALPHA})."
        )


def certified_checks(estimator: Any) -> list[Any]:
    """Return the checks of this file that apply to the estimator."""
    tags = get_unlearning_tags(estimator)
    if tags is None or tags.kind != "certified":
        return []
    return [check_certified_releases] if "random_state" in estimator.get_params(deep=False) else []
