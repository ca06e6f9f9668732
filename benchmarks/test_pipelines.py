"""Whole pipelines: requests against refitting the same pipeline of scikit-learn."""

import numpy as np
import pytest
import sklearn.compose
import sklearn.ensemble
import sklearn.impute
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.base import clone

from benchmarks.forest_tables import REAL, load
from benchmarks.tools import correlated, largest_gap, requests
from skunlearn import compose, ensemble, impute, linear_model, pipeline, preprocessing

# Model, its namesake, whether numbers are scaled and categories one-hot, and the mark.
MODELS = {
    "Ridge": (linear_model.Ridge(), sklearn.linear_model.Ridge(), True, 100),
    "logistic": (
        linear_model.LogisticRegression(),
        sklearn.linear_model.LogisticRegression(max_iter=1000),
        True,
        10,
    ),
    "forest": (
        ensemble.UnlearningForestClassifier(max_depth=20, random_state=0, n_jobs=2),
        sklearn.ensemble.RandomForestClassifier(max_depth=20, random_state=0, n_jobs=2),
        False,
        500,
    ),
}


def columns_of(package, X, linear):
    """Make the transformer of a mixed table from the classes of a package."""
    compose_, impute_, pipeline_, preprocessing_ = package
    numbers = [name for name in X if X[name].dtype.kind in "iuf"]
    texts = [name for name in X if name not in numbers]
    number_steps = [impute_.SimpleImputer(strategy="median")]
    if linear:
        number_steps.append(preprocessing_.StandardScaler())
        encoder = preprocessing_.OneHotEncoder(handle_unknown="ignore")
    else:
        encoder = preprocessing_.OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1
        )
    text_steps = [impute_.SimpleImputer(strategy="most_frequent"), encoder]
    parts = [("numbers", pipeline_.make_pipeline(*number_steps), numbers)]
    if texts:
        parts.append(("texts", pipeline_.make_pipeline(*text_steps), texts))
    return compose_.ColumnTransformer(parts)


OURS = (compose, impute, pipeline, preprocessing)
THEIRS = (sklearn.compose, sklearn.impute, sklearn.pipeline, sklearn.preprocessing)


class InBatches:
    """A model to which a request is a batch of rows that it still holds."""

    def __init__(self, model, size):
        self.model = model
        self.size = size

    def unlearn(self, seed):
        """Forget rows chosen by a seed."""
        ids = np.random.default_rng(seed).permutation(self.model.sample_ids_)
        self.model.unlearn(ids[: self.size])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("table", REAL)
@pytest.mark.parametrize("share", ["1 row", "1 %"])
def test_mixed_table(race, rng, table, name, share):
    found = load(table)
    if found is None:  # real tables are not part of the project
        pytest.skip("SKUNLEARN_DATA names no folder with this table")
    X, y = found.native[0], found.y[0]
    X = X.astype(dict.fromkeys(X.select_dtypes("category"), object))
    ours, namesake, linear, mark = MODELS[name]
    target = y.astype(float) if name == "Ridge" else y
    model = pipeline.make_pipeline(columns_of(OURS, X, linear), clone(ours)).fit(X, target)
    namesake = sklearn.pipeline.make_pipeline(columns_of(THEIRS, X, linear), clone(namesake))

    def gap():
        kept = model.sample_ids_
        again = clone(model).fit(X.iloc[kept], target[kept])
        method = "predict" if name == "Ridge" else "predict_proba"
        a, b = (getattr(m, method)(X.iloc[:2000]) for m in (model, again))
        return np.abs(a - b).max() / np.abs(b).max()

    race(
        f"{name}, {table} {len(X):,} x {X.shape[1]}, {share}",
        model if share == "1 row" else InBatches(model, len(X) // 100),
        requests(rng, len(X), 1, 60) if share == "1 row" else range(12),
        lambda: namesake.fit(X, target),
        mark=mark if share == "1 row" else 3,
        gap=gap,
        refits=3,
    )


@pytest.mark.parametrize(("size", "count", "mark"), [(1, 900, 800), (1000, 18, 200)])
def test_standard_scaler_and_ridge(race, rng, size, count, mark):
    X = correlated(rng) + rng.normal(size=50)
    y = X @ rng.normal(size=50) + rng.normal(size=len(X))
    steps = preprocessing.StandardScaler(), linear_model.Ridge()
    model = pipeline.make_pipeline(*steps).fit(X, y)
    namesake = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.linear_model.Ridge()
    )

    def gap():
        namesake.fit(X[model.sample_ids_], y[model.sample_ids_])
        return largest_gap(model[-1], namesake[-1], ["coef_"])

    race(
        f"StandardScaler + Ridge {len(X):,} x 50, {size:,} row(s)",
        model,
        requests(rng, len(X), size, count),
        lambda: namesake.fit(X, y),
        mark=mark,
        gap=gap,
    )
