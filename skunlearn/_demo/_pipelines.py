"""Pipelines for tables of mixed types, the same of this package and of scikit-learn."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sklearn.compose import make_column_selector

MAX_CATEGORIES = 50

_NUMBERS = make_column_selector(dtype_include="number")
_TEXTS = make_column_selector(dtype_exclude="number")


def prepared(
    package: str, model: Any, *, scaler: str | None = None, encoder: str | None = "one-hot"
) -> Any:
    """Put imputation, scaling and encoding in front of a model.

    Parameters
    ----------
    package : {'skunlearn', 'sklearn'}
        Whose transformers and pipelines to use.

    model : estimator
        The last step.

    scaler : {'standard', 'range'}, default=None
        What is done to numbers once the median stands for missing ones: standardise, or bring
        into [0, 1].

    encoder : {'one-hot', 'ordinal'}, default='one-hot'
        What is done to texts once the most frequent stands for missing ones; None leaves them.

    Returns
    -------
    pipeline : Pipeline
        Not fitted; it takes a data frame and puts numbers first.
    """
    compose, impute, pipeline, preprocessing = (
        import_module(f"{package}.{name}")
        for name in ("compose", "impute", "pipeline", "preprocessing")
    )
    after_median = {
        None: [],
        "standard": [preprocessing.StandardScaler()],
        "range": [preprocessing.MinMaxScaler(clip=True)],
    }
    after_mode = {
        None: [],
        "one-hot": [
            preprocessing.OneHotEncoder(
                handle_unknown="ignore", max_categories=MAX_CATEGORIES, sparse_output=False
            )
        ],
        "ordinal": [
            preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        ],
    }

    def imputer(strategy: str) -> Any:
        return impute.SimpleImputer(strategy=strategy, keep_empty_features=True)

    columns = compose.ColumnTransformer(
        [
            ("numbers", pipeline.make_pipeline(imputer("median"), *after_median[scaler]), _NUMBERS),
            (
                "texts",
                pipeline.make_pipeline(imputer("most_frequent"), *after_mode[encoder]),
                _TEXTS,
            ),
        ]
    )
    return pipeline.Pipeline([("columns", columns), ("model", model)])
