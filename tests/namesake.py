"""Pipelines of ours made anew of scikit-learn's own classes: an oracle that shares no code."""

import importlib

import sklearn.compose
import sklearn.pipeline
from sklearn.base import clone

from skunlearn.compose import ColumnTransformer
from skunlearn.pipeline import FeatureUnion, Pipeline

_HOME = {"feature_extraction": "feature_extraction.text"}

# Chosen at random by scikit-learn, found only nearly by its solver, or not there at all.
WITHOUT_TWIN = {
    "LogisticRegression",
    "PowerTransformer",
    "TargetEncoder",
    "UnlearningForestClassifier",
}


def classes_in(estimator):
    """Name the classes of an estimator and of all that it is made of."""
    return {type(value).__name__ for value in (estimator, *estimator.get_params().values())}


def has_twin(estimator):
    """Tell whether scikit-learn's own classes make the same of the same rows."""
    return not classes_in(estimator) & WITHOUT_TWIN


def as_namesake(estimator):
    """Return an estimator's namesake, not fitted."""
    if estimator is None or isinstance(estimator, str):
        return estimator
    if isinstance(estimator, Pipeline):
        return sklearn.pipeline.Pipeline([(n, as_namesake(step)) for n, step in estimator.steps])
    if isinstance(estimator, FeatureUnion):
        parts = [(name, as_namesake(part)) for name, part in estimator.transformer_list]
        return sklearn.pipeline.FeatureUnion(parts)
    if isinstance(estimator, ColumnTransformer):
        parts = [
            (name, as_namesake(part), columns) for name, part, columns in estimator.transformers
        ]
        return sklearn.compose.ColumnTransformer(
            parts,
            remainder=as_namesake(estimator.remainder),
            sparse_threshold=estimator.sparse_threshold,
        )
    module = type(estimator).__module__
    if not module.startswith("skunlearn"):
        return clone(estimator)
    public = ".".join(part for part in module.split(".")[1:] if not part.startswith("_"))
    home = importlib.import_module(f"sklearn.{_HOME.get(public, public)}")
    cls = getattr(home, type(estimator).__name__)
    known = cls().get_params()
    parameters = {k: v for k, v in estimator.get_params(deep=False).items() if k in known}
    if cls.__name__ == "Ridge":  # whose solver for sparse rows stops early
        parameters["tol"] = 1e-12
    return cls(**parameters)
