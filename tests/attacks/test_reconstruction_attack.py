"""Rows computed from two versions: the row itself is the oracle."""

import numpy as np
import pytest
import sklearn.linear_model as theirs
import sklearn.svm
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeRegressor

import skunlearn.linear_model as ours
import skunlearn.svm
from skunlearn.attacks import ReconstructionAttack
from skunlearn.pipeline import make_pipeline as our_pipeline
from skunlearn.preprocessing import StandardScaler as OurScaler

pytestmark = pytest.mark.fast

EXACT = {"tol": 1e-12, "max_iter": 10_000, "solver": "newton-cholesky"}


def table(name):
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
        return X, y
    if name == "counts":
        X, y = load_diabetes(return_X_y=True)
        return X, np.round(y / 20)
    if name == "cancer":
        X, y = load_breast_cancer(return_X_y=True)
        X = X[::2, :10]
        return (X - X.mean(axis=0)) / X.std(axis=0), np.array(["bad", "good"])[y[::2]]
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16.0, y[:300]


CASES = {
    "ridge": (theirs.Ridge(), "diabetes"),
    "our ridge": (ours.Ridge(2.0), "diabetes"),
    "least squares": (theirs.LinearRegression(), "diabetes"),
    "poisson": (theirs.PoissonRegressor(alpha=0.01, **EXACT), "counts"),
    "our poisson": (ours.PoissonRegressor(alpha=0.01), "counts"),
    "gamma": (theirs.GammaRegressor(alpha=0.01, **EXACT), "diabetes"),
    "tweedie": (theirs.TweedieRegressor(power=1.5, alpha=0.01, **EXACT), "diabetes"),
    "logistic": (theirs.LogisticRegression(C=0.01, **EXACT), "cancer"),
    "our logistic": (ours.LogisticRegression(C=0.1), "cancer"),
    "multinomial": (ours.LogisticRegression(C=0.1), "digits"),
    "scaled ridge": (make_pipeline(StandardScaler(), theirs.Ridge()), "diabetes"),
    "our scaled ridge": (our_pipeline(OurScaler(), ours.Ridge()), "diabetes"),
    "rotated": (make_pipeline(StandardScaler(), PCA(), theirs.Ridge()), "diabetes"),
    "scaled logistic": (
        make_pipeline(StandardScaler(), theirs.LogisticRegression(C=0.01, **EXACT)),
        "cancer",
    ),
}


def pair(model, X, y, row):
    """Fit with a row and without."""
    kept = np.arange(len(y)) != row
    return clone(model).fit(X, y), clone(model).fit(X[kept], y[kept])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("holds_row", [True, False])
def test_the_row_comes_back(name, holds_row, global_random_seed):
    model, data = CASES[name]
    X, y = table(data)
    for row in np.random.default_rng(global_random_seed).integers(0, len(y), 3).tolist():
        before, after = pair(model, X, y, row)
        kept = slice(None) if holds_row else np.arange(len(y)) != row
        attack = ReconstructionAttack(holds_row=holds_row).fit(X[kept], y[kept])
        found = attack.reconstruct(before, after)
        np.testing.assert_allclose(found.X[0], X[row], atol=1e-7 * np.linalg.norm(X[row]))
        if y.dtype.kind == "f":
            np.testing.assert_allclose(found.y[0], y[row], rtol=1e-7, atol=1e-9)
        else:
            assert found.y[0] == y[row]
        assert found.confidence[0] > 0.95


def test_unlearned_versions_and_predictors_will_do():
    X, y = table("diabetes")
    model = our_pipeline(OurScaler(), ours.Ridge()).fit(X, y, sample_ids="row numbers")
    before = model.to_predictor()
    after = model.unlearn(7).to_predictor()
    found = ReconstructionAttack().fit(X, y).reconstruct(before, after)
    np.testing.assert_allclose(found.X[0], X[7], atol=1e-7)


def test_rows_outside_of_the_margin_leave_no_trace():
    X, y = table("cancer")
    model = skunlearn.svm.LinearSVC(C=0.1)
    signs = np.where(y == "good", 1.0, -1.0)
    margins = signs * clone(model).fit(X, y).decision_function(X)
    attack = ReconstructionAttack().fit(X, y)
    outside, inside = np.flatnonzero(margins > 1.2)[0], np.flatnonzero(margins < 0.5)[:4]
    blank = attack.reconstruct(*pair(model, X, y, outside))
    assert np.isnan(blank.X).all()
    assert blank.confidence[0] == 0.0
    for row in inside.tolist():
        found = attack.reconstruct(*pair(model, X, y, row))
        np.testing.assert_allclose(found.X[0], X[row], atol=1e-6)
        assert found.y[0] == y[row]
        assert found.confidence[0] > 0.95


def test_public_rows_give_a_good_likeness(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = load_breast_cancer(return_X_y=True)
    order = rng.permutation(len(y))
    X, y = StandardScaler().fit_transform(X)[order], y[order]
    model = theirs.LogisticRegression(C=0.01, **EXACT)
    attack = ReconstructionAttack(holds_row=False).fit(X[285:], y[285:], n_samples=285)
    cosines, right = [], []
    for row in range(15):
        found = attack.reconstruct(*pair(model, X[:285], y[:285], row))
        norms = np.linalg.norm(found.X[0]) * np.linalg.norm(X[row])
        cosines.append(found.X[0] @ X[row] / norms)
        right.append(found.y[0] == y[row])
    assert np.median(cosines) > 0.95
    assert np.mean(right) > 0.8


def test_several_rows_lower_the_confidence():
    X, y = table("cancer")
    model = ours.LogisticRegression(C=0.01)
    kept = np.arange(len(y)) >= 5
    before, after = clone(model).fit(X, y), clone(model).fit(X[kept], y[kept])
    found = ReconstructionAttack().fit(X, y).reconstruct(before, after)
    assert found.confidence[0] < 0.9


def test_what_cannot_be_reconstructed_from():
    X, y = table("diabetes")
    attack = ReconstructionAttack().fit(X, y)
    ridge = theirs.Ridge().fit(X, y)
    with pytest.raises(ValueError, match="without an intercept"):
        attack.reconstruct(theirs.Ridge(fit_intercept=False).fit(X, y), ridge)
    with pytest.raises(TypeError, match="No row can be reconstructed from DecisionTree"):
        attack.reconstruct(DecisionTreeRegressor().fit(X, y), ridge)
    with pytest.raises(ValueError, match="cannot be inverted"):
        attack.reconstruct(make_pipeline(PolynomialFeatures(2), theirs.Ridge()).fit(X, y), ridge)
    with pytest.raises(ValueError, match="not affine"):
        attack.reconstruct(
            make_pipeline(FunctionTransformer(np.tanh), theirs.Ridge()).fit(X, y), ridge
        )
    with pytest.raises(ValueError, match="shape"):
        attack.reconstruct(theirs.Ridge().fit(X[:, :3], y), ridge)
    with pytest.raises(NotFittedError):
        ReconstructionAttack().reconstruct(ridge, ridge)
    X, y = table("cancer")
    attack = ReconstructionAttack().fit(X, np.where(y == "bad", "worse", y))
    logistic = theirs.LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="'worse'"):
        attack.reconstruct(logistic, logistic)
    weighed = theirs.LogisticRegression(class_weight="balanced").fit(X, y)
    with pytest.raises(ValueError, match="weigh classes"):
        attack.reconstruct(weighed, weighed)
    hinge = sklearn.svm.LinearSVC(loss="hinge", dual=True).fit(X, y)
    with pytest.raises(ValueError, match="squared hinge"):
        attack.reconstruct(hinge, hinge)
