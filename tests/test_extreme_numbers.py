"""Weights and values at the ends of what floats hold: numbers, or an error, and never NaN."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.base import is_classifier, is_regressor

from skunlearn.cluster import QuantizedKMeans
from skunlearn.decomposition import PCA
from skunlearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from skunlearn.feature_selection import VarianceThreshold
from skunlearn.impute import SimpleImputer
from skunlearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    Ridge,
    RidgeClassifier,
    RidgeCV,
)
from skunlearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from skunlearn.neighbors import KNeighborsClassifier, NearestCentroid
from skunlearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from skunlearn.svm import SVC, SVR
from skunlearn.utils import get_unlearning_tags
from skunlearn.utils._difference import differ, public_attributes

MODELS = [
    BernoulliNB(),
    CategoricalNB(),
    ComplementNB(),
    ElasticNet(),
    GaussianNB(),
    HuberRegressor(),
    KBinsDiscretizer(2, strategy="uniform"),
    KNeighborsClassifier(),
    Lasso(),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis("lsqr"),
    LinearRegression(),
    LinearRegression(positive=True),
    MaxAbsScaler(),
    MinMaxScaler(),
    MultinomialNB(),
    NearestCentroid(),
    PCA(2),
    PowerTransformer(),
    QuadraticDiscriminantAnalysis(),
    QuantileTransformer(n_quantiles=5),
    QuantizedKMeans(2, random_state=0),
    Ridge(),
    Ridge(positive=True),
    RidgeCV([1.0]),
    RidgeCV([1.0], cv=3),
    RidgeClassifier(),
    RobustScaler(),
    SVC(kernel="linear", max_iter=20_000),
    SVR(kernel="linear", max_iter=20_000),
    SimpleImputer(),
    StandardScaler(),
    VarianceThreshold(),
]
WEIGHED = [m for m in MODELS if "sample_weight" in inspect.signature(m.fit).parameters]
SIZES = [5e-324, 1e-300, 1e-200, 1e-30, 1e10, 1e200, 1e300, 1.7e308]
# What its namesake publishes of numbers that overflow or of quotients of zeros as well.
PUBLISHED_SO = {
    "ElasticNet": {"dual_gap_"},
    "Lasso": {"dual_gap_"},
    "NearestCentroid": {"deviations_"},
    "PCA": {"explained_variance_ratio_"},
    "RidgeCV": {"best_score_"},
    "StandardScaler": {"scale_", "var_"},
    "VarianceThreshold": {"variances_"},
}

pytestmark = pytest.mark.filterwarnings("ignore")


def draw_rows(model, rng):
    X = np.abs(np.round(2.0 * rng.normal(size=(40, 3)))) + rng.integers(0, 2, (40, 3))
    if not isinstance(model, CategoricalNB):
        X = X + rng.uniform(size=(40, 3))
    y = X.sum(axis=1) + 0.1 * rng.normal(size=40) if is_regressor(model) else np.arange(40) % 2
    return X, y


def holds_floats(values):
    is_array = isinstance(values, np.ndarray) and values.dtype.kind == "f"
    return is_array or isinstance(values, float)


def assert_lawful(model, X, y, weight, gone):
    """The model unlearned is that fitted on the remaining rows and finite, or both raise."""
    kept = np.delete(np.arange(40), gone)

    def fitted(rows):
        extras = {} if weight is None else {"sample_weight": weight[rows]}
        return type(model)(**model.get_params()).fit(X[rows], y[rows], **extras, sample_ids=rows)

    try:
        before = fitted(np.arange(40))
    except (ValueError, IndexError):  # scikit-learn's own for weights that no quantile has
        return
    try:
        again = fitted(kept)
    except (ValueError, IndexError):
        with pytest.raises(ValueError, match=r"\w"):
            before.unlearn(gone)
        return
    before.unlearn(gone)
    passed = {"n_iter_", "sample_ids_", *PUBLISHED_SO.get(type(model).__name__, ())}
    for one in (before, again):
        for name, values in public_attributes(one).items():
            if name not in passed and holds_floats(values):
                assert np.isfinite(values).all(), name
    attributes = [public_attributes(one) for one in (before, again)]
    for part in attributes:
        for name in ("dual_gap_", "n_iter_"):
            part.pop(name, None)
    tolerance = get_unlearning_tags(model).tolerance or 0.0
    with np.errstate(all="ignore"):
        difference = differ(*attributes, rtol=10.0 * tolerance)
    assert difference is None, str(difference)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("model", WEIGHED, ids=str)
def test_weights_of_any_size(model, size, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_rows(model, rng)
    gone = rng.permutation(40)[:3]
    assert_lawful(model, X, y, np.full(40, size), gone)
    assert_lawful(model, X, y, np.where(np.arange(40) % 3, 1.0, size), gone)


@pytest.mark.parametrize("factor", [1e-3, 0.5, 100.0])
@pytest.mark.parametrize("model", WEIGHED, ids=str)
def test_negative_weights(model, factor, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_rows(model, rng)
    gone = rng.permutation(40)[:3]
    for sign in (np.arange(40) == 2, np.arange(40) % 2 == 1, np.ones(40, dtype=bool)):
        assert_lawful(model, X, y, np.where(sign, -factor, 1.0), gone)


@pytest.mark.parametrize("size", [1e-200, 1e-155, 1e100, 1e155, 1e200, 1e307])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_values_of_any_size(model, size, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_rows(model, rng)
    if isinstance(model, CategoricalNB):
        return
    gone = rng.permutation(40)[:3]
    assert_lawful(model, size * X, y, None, gone)
    # A Huber solver and scores of RidgeCV take columns to be of one size.
    if not isinstance(model, HuberRegressor | RidgeCV):
        assert_lawful(model, X * [size, 1.0, 1.0 / size], y, None, gone)
    X[gone[0], 1] = size  # the outlier leaves
    assert_lawful(model, X, y, None, gone)
    if not is_classifier(model):
        assert_lawful(model, X, size * y, None, gone)
