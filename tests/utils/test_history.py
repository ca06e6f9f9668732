"""Pickles of unlearned models are those of retrained ones, also beyond default parameters."""

import numpy as np
import pytest
import sklearn.feature_selection as score_functions

from skunlearn.decomposition import PCA
from skunlearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from skunlearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from skunlearn.feature_selection import SelectKBest, VarianceThreshold
from skunlearn.impute import SimpleImputer
from skunlearn.kernel_ridge import KernelRidge
from skunlearn.linear_model import (
    CertifiedLogisticRegression,
    HuberRegressor,
    LogisticRegression,
    NoisyDescentClassifier,
    Ridge,
)
from skunlearn.naive_bayes import MultinomialNB
from skunlearn.neighbors import KNeighborsClassifier, NearestCentroid
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from skunlearn.svm import SVC, LinearSVC
from skunlearn.utils._checks.history import check_history_independence
from skunlearn.utils.estimator_checks import _label

KINDS_OF_BINS = [
    KBinsDiscretizer(2, strategy=strategy, subsample=size, encode="ordinal")
    for strategy in ("uniform", "quantile", "kmeans")
    for size in (None, 20)
]
IMPUTERS = [
    SimpleImputer(strategy=strategy, add_indicator=True)
    for strategy in ("mean", "median", "most_frequent", "constant")
]
VARIANTS = [
    *KINDS_OF_BINS,
    *IMPUTERS,
    QuantileTransformer(n_quantiles=5, subsample=20),
    RobustScaler(unit_variance=True),
    OneHotEncoder(min_frequency=3, handle_unknown="infrequent_if_exist"),
    OneHotEncoder(drop="first"),
    OrdinalEncoder(max_categories=4),
    TargetEncoder(target_type="multiclass"),
    VarianceThreshold(0.3),
    SelectKBest(score_functions.chi2, k=1),
    SelectKBest(score_functions.f_regression, k=1),
    CountVectorizer(min_df=2, ngram_range=(1, 2)),
    CountVectorizer(max_features=8),
    CountVectorizer(vocabulary=["a1", "b10"]),
    TfidfVectorizer(min_df=2),
    KNeighborsClassifier(algorithm="kd_tree"),
    NearestCentroid(metric="manhattan"),
    SVC(class_weight="balanced"),
    LinearSVC(class_weight="balanced"),
    KernelRidge(kernel="rbf", gamma=0.1),
    HuberRegressor(epsilon=1.1),
    LogisticRegression(unlearning="newton"),
    CertifiedLogisticRegression(class_weight="balanced"),
    CertifiedLogisticRegression(mechanism="guo2020", max_norm=1.0, epsilon=5.0),
    PCA(2),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
    QuadraticDiscriminantAnalysis(reg_param=0.1),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(MinMaxScaler(), PCA(2), Ridge()),
    make_pipeline(KBinsDiscretizer(2, random_state=0), MultinomialNB()),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", VARIANTS, ids=_label)
def test_pickles_tell_nothing(model):
    check_history_independence(type(model).__name__, model)


@pytest.fixture
def rows(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(120, 3))
    y = (X[:, 0] + 0.5 * rng.normal(size=120) > 0).astype(int)
    X[0] *= 1000.0
    return X, y, np.arange(120)


def test_a_purged_certified_model_has_no_bound_of_removed_rows(rows):
    X, y, ids = rows
    model = CertifiedLogisticRegression(C=0.01).fit(X, y, sample_ids=ids).unlearn(0).purge()
    retrained = CertifiedLogisticRegression(C=0.01).fit(X[1:], y[1:], sample_ids=ids[1:])
    assert model._state.radius == retrained._state.radius
    np.testing.assert_array_equal(model._peak, retrained._peak)
    assert model.to_predictor().n_iter_ == [model.max_iter]


def test_predictors_of_noisy_descent_keep_no_account(rows):
    X, y, ids = rows
    model = NoisyDescentClassifier().fit(X, y, sample_ids=ids).unlearn(0)
    assert model.n_steps_
    assert model.epsilon_spent_
    retrained = NoisyDescentClassifier().fit(X[1:], y[1:], sample_ids=ids[1:])
    assert model.epsilon_spent_ > retrained.epsilon_spent_
    predictor = model.to_predictor()
    assert predictor.n_steps_ == retrained.n_steps_
    assert predictor.epsilon_spent_ == retrained.epsilon_spent_


def test_texts_leave_no_empty_positions_once_purged_or_mostly_gone():
    texts = [f"common word{row} other{row}" for row in range(40)] + ["common word0 other0"]
    model = CountVectorizer(min_df=2).fit(texts, sample_ids=range(41)).unlearn([3, 4])
    assert model._terms.n_empty
    assert not model.purge()._terms.n_empty
    for row in range(5, 35):
        model.unlearn(row)
        assert 4 * model._terms.n_empty < model._terms.documents.size
    left = [texts[row] for row in model.sample_ids_]
    assert model.vocabulary_ == CountVectorizer(min_df=2).fit(left).vocabulary_


def test_seen_samples_of_weighted_rows_are_one_number_once_none_is_missing(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, weight = rng.normal(size=(50, 4)), rng.random(50) + 0.5
    X[7, 2] = np.nan
    model = StandardScaler().fit(X, sample_weight=weight, sample_ids=range(50))
    assert np.shape(model.n_samples_seen_) == (4,)
    assert np.shape(model.unlearn([3, 7]).n_samples_seen_) == ()
