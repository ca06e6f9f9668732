"""Which models of ours run on a table, and the scikit-learn model each is timed against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.ensemble
import sklearn.linear_model
import sklearn.naive_bayes
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.tree import DecisionTreeRegressor

from skunlearn import ensemble, linear_model, naive_bayes, preprocessing
from skunlearn._demo._pipelines import prepared
from skunlearn._demo._table import Table
from skunlearn.pipeline import make_pipeline

# Pipelines on fewer rows go without shards, which would not know most categories, and without
# forests, whose kernels take longer to compile than all other models to run.
MIN_ROWS = 1000


@dataclass(frozen=True)
class Contender:
    """A model of ours and its namesake.

    Parameters
    ----------
    name : str
        Short name for tables.

    make : callable
        Returns the unfitted model of ours.

    namesake : estimator
        The unfitted scikit-learn model that a user would refit instead.

    squared : bool, default=False
        Whether it minimises squared error; as a classifier it is fitted on 0 and 1.
    """

    name: str
    make: Callable[[], Any]
    namesake: Any
    squared: bool = False


def contenders(table: Table, *, seed: int, jobs: int | None) -> list[Contender]:
    """List the models that suit a table; on a data frame each is a pipeline."""
    if not isinstance(table.X, np.ndarray):
        return _pipelines(table, seed, jobs)
    return _classifiers(table, seed, jobs) if table.classes else _regressors(seed, jobs)


def _classifiers(table: Table, seed: int, jobs: int | None) -> list[Contender]:
    nb, sk = naive_bayes, sklearn.naive_bayes
    found = [Contender("GaussianNB", nb.GaussianNB, sk.GaussianNB())]
    if table.X.min() >= 0:
        found.append(Contender("MultinomialNB", nb.MultinomialNB, sk.MultinomialNB()))
    if np.mean(table.X <= 0) > 0.1:
        found.append(Contender("BernoulliNB", nb.BernoulliNB, sk.BernoulliNB()))
    found.append(_scaled("GaussianNB", nb.GaussianNB, sk.GaussianNB()))
    if len(table.classes) == 2:
        found.append(
            _scaled("Ridge", linear_model.Ridge, sklearn.linear_model.Ridge(), squared=True)
        )
    logistic = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(),
        sklearn.linear_model.LogisticRegression(max_iter=1000),
    )
    found.append(_sharded("SISA of logistic", ensemble.SISAClassifier, logistic, seed, jobs))
    return found


def _regressors(seed: int, jobs: int | None) -> list[Contender]:
    ours, sk = linear_model, sklearn.linear_model
    tree = DecisionTreeRegressor(min_samples_leaf=5, random_state=seed)
    return [
        Contender("LinearRegression", ours.LinearRegression, sk.LinearRegression(), squared=True),
        Contender("Ridge", ours.Ridge, sk.Ridge(), squared=True),
        _scaled("Ridge", ours.Ridge, sk.Ridge(), squared=True),
        _sharded("SISA of trees", ensemble.SISARegressor, tree, seed, jobs, squared=True),
    ]


def _pipelines(table: Table, seed: int, jobs: int | None) -> list[Contender]:
    """List pipelines that impute, scale, encode and model."""
    nb, linear = naive_bayes, linear_model
    sk_nb, sk_linear, sk_trees = sklearn.naive_bayes, sklearn.linear_model, sklearn.ensemble
    n_numbers = table.X.select_dtypes("number").shape[1]
    texts = list(range(n_numbers, table.X.shape[1]))
    seeded: dict[str, Any] = {"random_state": seed, "n_jobs": jobs}

    def piped(name: str, ours: Callable[[], Any], namesake: Any, **options: Any) -> Contender:
        squared = options.pop("squared", False)
        namesake_encoder = options.pop("namesake_encoder", options.get("encoder", "one-hot"))
        return Contender(
            name,
            lambda: prepared("skunlearn", ours(), **options),
            prepared("sklearn", namesake, **{**options, "encoder": namesake_encoder}),
            squared,
        )

    ridge = piped("Ridge", linear.Ridge, sk_linear.Ridge(), scaler="standard", squared=True)
    if not table.classes:
        small = [ridge]
        our_forest: Any = ensemble.UnlearningForestRegressor
        sklearn_forest = sk_trees.RandomForestRegressor(**seeded)
        tree = DecisionTreeRegressor(min_samples_leaf=5, random_state=seed)
        name, sisa, base = "SISA of trees", ensemble.SISARegressor, prepared("sklearn", tree)
    else:
        logistic = sk_linear.LogisticRegression(max_iter=1000)
        small = [
            piped(
                "GaussianNB", nb.GaussianNB, sk_nb.GaussianNB(), scaler="range", encoder="ordinal"
            ),
            piped("MultinomialNB", nb.MultinomialNB, sk_nb.MultinomialNB(), scaler="range"),
            *([ridge] if len(table.classes) == 2 else []),
            piped(
                "logistic",
                lambda: linear.LogisticRegression(max_iter=1000),
                logistic,
                scaler="standard",
            ),
        ]
        our_forest = ensemble.UnlearningForestClassifier
        sklearn_forest = sk_trees.RandomForestClassifier(**seeded)
        base = prepared("sklearn", logistic, scaler="standard")
        name, sisa = "SISA of logistic", ensemble.SISAClassifier
    if len(table.y) < MIN_ROWS:
        return small
    squared = not table.classes
    forest = piped(
        "forest",
        lambda: our_forest(categorical_features=texts, **seeded),
        sklearn_forest,
        encoder=None,
        namesake_encoder="ordinal",
        squared=squared,
    )
    return [*small, forest, _sharded(name, sisa, base, seed, jobs, squared=squared)]


def _sharded(
    name: str, sisa: Any, base: Any, seed: int, jobs: int | None, *, squared: bool = False
) -> Contender:
    return Contender(name, lambda: sisa(base, random_state=seed, n_jobs=jobs), base, squared)


def _scaled(
    name: str, make: Callable[[], Any], namesake: Any, *, squared: bool = False
) -> Contender:
    return Contender(
        f"scaler+{name}",
        lambda: make_pipeline(preprocessing.StandardScaler(), make()),
        sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), namesake),
        squared,
    )
