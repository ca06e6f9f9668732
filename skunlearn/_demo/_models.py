"""Which models of ours run on a table, and the scikit-learn model each is timed against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.linear_model
import sklearn.naive_bayes
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.tree import DecisionTreeRegressor

from skunlearn import ensemble, linear_model, naive_bayes, preprocessing
from skunlearn._demo._table import Table
from skunlearn.pipeline import make_pipeline


@dataclass(frozen=True)
class Contender:
    """A model of ours and its counterpart.

    Parameters
    ----------
    name : str
        Short name for tables.

    make : callable
        Returns the unfitted model of ours.

    counterpart : estimator
        The unfitted scikit-learn model that a user would refit instead.

    squared : bool, default=False
        Whether it minimises squared error; as a classifier it is fitted on 0 and 1.
    """

    name: str
    make: Callable[[], Any]
    counterpart: Any
    squared: bool = False


def contenders(table: Table, *, seed: int, jobs: int | None) -> list[Contender]:
    """List the models that suit a table."""
    if not table.classes:
        return _regressors(seed, jobs)
    nb, sk = naive_bayes, sklearn.naive_bayes
    found = [Contender("GaussianNB", nb.GaussianNB, sk.GaussianNB())]
    if table.X.min() >= 0:
        found.append(Contender("MultinomialNB", nb.MultinomialNB, sk.MultinomialNB()))
    if np.mean(table.X <= 0) > 0.1:
        found.append(Contender("BernoulliNB", nb.BernoulliNB, sk.BernoulliNB()))
    if not _mostly_one_hot(table.X):
        found.append(_scaled("GaussianNB", nb.GaussianNB, sk.GaussianNB()))
    if len(table.classes) == 2:
        found.append(
            _scaled("Ridge", linear_model.Ridge, sklearn.linear_model.Ridge(), squared=True)
        )
    logistic = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(),
        sklearn.linear_model.LogisticRegression(max_iter=1000),
    )
    found.append(
        Contender(
            "SISA of logistic",
            lambda: ensemble.SISAClassifier(logistic, random_state=seed, n_jobs=jobs),
            logistic,
        )
    )
    return found


def _mostly_one_hot(X: np.ndarray) -> bool:
    """Whether more than half of the columns hold zeros and ones only, which no Gaussian fits."""
    return bool(np.mean([np.isin(column, (0.0, 1.0)).all() for column in X.T]) > 0.5)


def _regressors(seed: int, jobs: int | None) -> list[Contender]:
    ours, sk = linear_model, sklearn.linear_model
    tree = DecisionTreeRegressor(min_samples_leaf=5, random_state=seed)
    return [
        Contender("LinearRegression", ours.LinearRegression, sk.LinearRegression(), squared=True),
        Contender("Ridge", ours.Ridge, sk.Ridge(), squared=True),
        _scaled("Ridge", ours.Ridge, sk.Ridge(), squared=True),
        Contender(
            "SISA of trees",
            lambda: ensemble.SISARegressor(tree, random_state=seed, n_jobs=jobs),
            tree,
            squared=True,
        ),
    ]


def _scaled(
    name: str, make: Callable[[], Any], counterpart: Any, *, squared: bool = False
) -> Contender:
    return Contender(
        f"scaler+{name}",
        lambda: make_pipeline(preprocessing.StandardScaler(), make()),
        sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), counterpart),
        squared,
    )
