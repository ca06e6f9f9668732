"""Forests that compete: ours, scikit-learn's, and two that need not be installed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from skunlearn.ensemble import UnlearningForestClassifier

DEPTH = 20
N_TREES = 100
N_JOBS = int(os.environ.get("SKUNLEARN_BENCH_JOBS", "1"))


@dataclass(frozen=True)
class Forest:
    """A competitor: how to make one, and how it forgets rows if it can."""

    name: str
    make: Callable[[], Any]
    forget: Callable[[Any, np.ndarray], Any] | None = None
    takes_categories: bool = False


class Dare:
    """The estimator's methods for a forest of the package dare-rf."""

    def fit(self, X, y):
        """Grow trees."""
        import dare

        self._forest = dare.Forest(n_estimators=N_TREES, max_depth=DEPTH, k=25, random_state=1)
        self._forest.fit(X, y.astype(np.int32))
        return self

    def predict_proba(self, X):
        """Predict class probabilities."""
        return self._forest.predict_proba(X)

    def delete(self, rows):
        """Forget rows by their positions at fit."""
        self._forest.delete(rows)


def _ours(share):
    return Forest(
        f"ours, {share:.0%} of trees a row",
        lambda: UnlearningForestClassifier(
            N_TREES, max_depth=DEPTH, max_samples=share, n_jobs=N_JOBS, random_state=0
        ),
        UnlearningForestClassifier.unlearn,
        True,
    )


def _namesake(name, cls, **options):
    options = {"max_depth": DEPTH, "n_jobs": N_JOBS, "random_state": 0} | options
    return Forest(name, lambda: cls(N_TREES, **options))


def competitors():
    """Return those that can be imported, the first to compare with, and why others cannot."""
    found = [
        _namesake("scikit-learn RF", RandomForestClassifier),
        _namesake("scikit-learn ET", ExtraTreesClassifier),
        _ours(1.0),
        _ours(0.3),
        _ours(0.1),
    ]
    absent = []
    try:
        from sklearnex.ensemble import RandomForestClassifier as IntelRandomForest
    except ImportError as error:
        absent.append(f"scikit-learn-intelex: {error}")
    else:
        found.append(_namesake("intelex RF", IntelRandomForest))
        found.append(
            _namesake("intelex RF, 30% of rows a tree", IntelRandomForest, max_samples=0.3)
        )
    try:
        import dare  # noqa: F401
    except ImportError as error:
        absent.append(f"dare-rf: {error}")
    else:
        found.append(Forest("DaRE", Dare, Dare.delete))
    return found, absent
