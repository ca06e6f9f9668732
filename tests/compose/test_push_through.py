"""Linear models follow a transformer in front of them by algebra: refitting is the oracle."""

import pickle

import numpy as np
import pytest
import sklearn.decomposition
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skunlearn._unlearning.commit import Replacement, commit
from skunlearn.decomposition import PCA
from skunlearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    RidgeCV,
    TweedieRegressor,
)
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler

MODELS = {
    "binary": LogisticRegression(C=0.7),
    "multinomial": LogisticRegression(C=0.7),
    "balanced": LogisticRegression(class_weight="balanced"),
    "poisson": PoissonRegressor(alpha=0.3),
    "gamma": GammaRegressor(alpha=0.01),
    "tweedie": TweedieRegressor(power=1.5, alpha=0.1),
}


def draw(rng, kind, n=240, d=4):
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-2, 3, d) + rng.normal(size=d) * 30
    X[:6] += 3 * X.std(axis=0)
    scores = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=(d, 3)) * 0.5
    if kind == "multinomial":
        return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    if kind in ("binary", "balanced"):
        return X, (scores[:, 0] + rng.logistic(size=n) > 0.5).astype(int)
    mean = np.exp(0.3 * scores[:, 0])
    if kind == "gamma":
        return X, rng.gamma(2.0, mean) + 0.01
    return X, rng.poisson(mean).astype(float)


def exact(model):
    """Return scikit-learn's namesake, solved as far as it goes."""
    parameters = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000}
    names = ("C", "alpha", "power", "fit_intercept", "class_weight")
    parameters |= {k: v for k, v in model.get_params().items() if k in names}
    return namesake_of(model, parameters)


def namesake_of(model, parameters):
    """Return scikit-learn's namesake with those of the parameters that its release has."""
    cls = getattr(sklearn.linear_model, type(model).__name__)
    return cls(**{k: v for k, v in parameters.items() if k in cls().get_params()})


def refitted(model, X, y, weight=None, **scaling):
    pipe = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(**scaling), exact(model)
    )
    name = pipe.steps[-1][0]
    return pipe.fit(X, y, **({} if weight is None else {f"{name}__sample_weight": weight}))


def ways(pipe):
    return [step.way for step in pipe.unlearning_report_.steps]


@pytest.mark.fast
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("weighted", [False, True])
def test_glms_behind_a_scaler_equal_a_refitted_pipeline(kind, weighted, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(rng, kind)
    head = sklearn.base.clone(MODELS[kind])
    weight = rng.integers(1, 4, len(y)).astype(float) if weighted else None
    name = type(head).__name__.lower()
    pipe = make_pipeline(StandardScaler(), head)
    pipe.fit(X, y, **({} if weight is None else {f"{name}__sample_weight": weight}))
    for request in ([100], [0], np.arange(1, 6), np.arange(200, 230), [239]):
        pipe.unlearn(request)
        assert ways(pipe) == ["unlearned", "pushed through"]
        kept = pipe.sample_ids_
        if kind == "balanced" and weighted:
            # scikit-learn releases differ in whether sample weights balance classes too
            params = {f"{name}__sample_weight": weight[kept]}
            namesake = make_pipeline(StandardScaler(), head.__class__(**head.get_params()))
            namesake.fit(X[kept], y[kept], **params)
        else:
            namesake = refitted(head, X[kept], y[kept], None if weight is None else weight[kept])
        scale = np.abs(namesake[-1].coef_).max()
        assert_allclose(pipe[-1].coef_, namesake[-1].coef_, rtol=0, atol=1e-10 * scale)
        ours, namesake = (
            (p.decision_function(X) if hasattr(p, "decision_function") else p.predict(X))
            for p in (pipe, namesake)
        )
        assert_allclose(ours, namesake, rtol=1e-9, atol=1e-9 * np.abs(namesake).max())
    assert pipe.unlearning_report_.guarantee.kind == "numerical"


@given(st.data())
def test_any_sequence_of_requests(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    kind = data.draw(st.sampled_from(["binary", "multinomial", "poisson"]))
    X, y = draw(rng, kind, n=120, d=3)
    pipe = make_pipeline(StandardScaler(), sklearn.base.clone(MODELS[kind])).fit(X, y)
    left = list(range(len(y)))
    for size in data.draw(st.lists(st.integers(1, 25), min_size=1, max_size=4)):
        gone = rng.choice(left, min(size, len(left) - 40), replace=False)
        left = sorted(set(left) - set(gone.tolist()))
        if np.unique(y[left]).size < np.unique(y).size:
            return
        pipe.unlearn(gone)
        action = data.draw(st.sampled_from(["", "purge", "pickle"]))
        if action == "purge":
            pipe.purge()
        elif action == "pickle":
            pipe = pickle.loads(pickle.dumps(pipe))
        namesake = refitted(pipe[-1], X[left], y[left])
        scale = np.abs(namesake[-1].coef_).max()
        assert_allclose(pipe[-1].coef_, namesake[-1].coef_, rtol=0, atol=1e-10 * scale)
        assert_array_equal(pipe[-1].sample_ids_, left)


@pytest.mark.fast
@pytest.mark.parametrize("unlearning", ["bounded", "newton"])
def test_bounds_hold_behind_a_scaler(unlearning, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(rng, "binary")
    head = LogisticRegression(C=0.1, unlearning=unlearning)
    pipe = make_pipeline(StandardScaler(), head).fit(X, y)
    for request in ([10], [50, 60], np.arange(100, 110), [3]):
        pipe.unlearn(request)
        assert ways(pipe)[1] == "pushed through"
        kept = pipe.sample_ids_
        namesake = refitted(pipe[-1], X[kept], y[kept])
        rows = pipe[0].transform(X)
        gap = np.abs(pipe.decision_function(X) - namesake.decision_function(X))
        assert (gap <= pipe[-1].prediction_bound(rows) + 1e-9).all()
        chance = namesake.predict_proba(X[kept])[:, 1]
        table = np.hstack([rows[kept], np.ones((len(kept), 1))])
        curvature = (table.T * (chance * (1 - chance))) @ table
        curvature.flat[: -1 : table.shape[1] + 1] += 1 / head.C
        delta = np.append(
            pipe[-1].coef_ - namesake[-1].coef_, pipe[-1].intercept_ - namesake[-1].intercept_
        )
        bound = pipe.unlearning_report_.guarantee.bound
        assert np.sqrt(delta @ curvature @ delta) <= 1.2 * bound + 1e-9


@pytest.mark.fast
def test_purge_leaves_nothing_of_a_former_scaler(global_random_seed):
    X, y = draw(np.random.default_rng(global_random_seed), "binary")
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    former = pipe[0].transform(X)[100]
    pipe.unlearn(np.arange(6))
    assert pipe.unlearning_report_.guarantee.scope == "output"
    assert former.tobytes() in pickle.dumps(pipe)
    assert_array_equal(pipe[-1].find_samples(pipe[0].transform(X[[100, 2]]), y[[100, 2]]), [100])
    assert pipe[-1].find_samples(pipe[0].transform(X[[100]]), 1 - y[[100]]).size == 0
    before = pipe.predict_proba(X)
    base, frame = pipe[-1]._base, pipe[-1]._map
    pipe.purge()
    assert not base.any()
    assert not frame.any()
    assert former.tobytes() not in pickle.dumps(pipe)
    assert_array_equal(pipe.predict_proba(X), before)
    pipe.unlearn([50])
    assert ways(pipe) == ["unlearned", "pushed through"]
    namesake = refitted(pipe[-1], X[pipe.sample_ids_], y[pipe.sample_ids_])
    assert_allclose(pipe[-1].coef_, namesake[-1].coef_, atol=1e-10)


@pytest.mark.fast
def test_what_only_a_refit_can_follow(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(rng, "binary")
    # no intercept that could take up a shift
    head = LogisticRegression(fit_intercept=False)
    pipe = make_pipeline(StandardScaler(), head).fit(X, y).unlearn([5]).unlearn([7])
    assert ways(pipe)[1] == "refitted"
    namesake = refitted(head, X[pipe.sample_ids_], y[pipe.sample_ids_])
    assert_allclose(pipe[-1].coef_, namesake[-1].coef_, atol=1e-10)
    head = sklearn.base.clone(head)
    # but a scale alone is followed
    pipe = make_pipeline(StandardScaler(with_mean=False), head).fit(X, y).unlearn([5])
    assert ways(pipe)[1] == "pushed through"
    namesake = refitted(head, np.delete(X, 5, 0), np.delete(y, 5), with_mean=False)
    assert_allclose(pipe[-1].coef_, namesake[-1].coef_, atol=1e-10)
    # an outlier that was all of a column's scale; requests after it are pushed through again
    X[3] += 1e6
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y).unlearn([3])
    assert ways(pipe)[1] == "refitted"
    pipe.unlearn([9])
    assert ways(pipe)[1] == "pushed through"
    namesake = refitted(pipe[-1], X[pipe.sample_ids_], y[pipe.sample_ids_])
    assert_allclose(pipe[-1].coef_, namesake[-1].coef_, atol=1e-10)
    # a class that vanishes
    X, y = draw(rng, "multinomial")
    y[10:] %= 2
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    pipe.unlearn(np.flatnonzero(y == 2))
    namesake = refitted(pipe[-1], X[y < 2], y[y < 2])
    assert_allclose(pipe[-1].coef_, namesake[-1].coef_, atol=1e-9)


@pytest.mark.fast
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_a_column_that_becomes_constant(C, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(rng, "binary")
    X[:, 1] = 0.0
    X[:6, 1] = 20.0
    X[:, 2] = 5.0
    pipe = make_pipeline(StandardScaler(), LogisticRegression(C=C)).fit(X, y)
    pipe.unlearn([100]).unlearn(np.arange(6))
    again = make_pipeline(StandardScaler(), LogisticRegression(C=C)).fit(
        X[pipe.sample_ids_], y[pipe.sample_ids_]
    )
    assert_allclose(pipe[-1].coef_, again[-1].coef_, atol=1e-9)
    assert_allclose(pipe[-1].coef_[0, 1:3], 0.0, atol=1e-9)


@pytest.mark.fast
def test_steps_that_forgot_apart_are_not_taken_for_each_others(global_random_seed):
    X, y = draw(np.random.default_rng(global_random_seed), "binary")
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    pipe[0].unlearn([3])
    pipe[-1].unlearn([3])
    commit([Replacement(pipe, {}, np.array([3]))])
    pipe.unlearn([7])
    assert ways(pipe)[1] == "refitted"
    namesake = refitted(pipe[-1], np.delete(X, [3, 7], 0), np.delete(y, [3, 7]))
    assert_allclose(pipe[-1].coef_, namesake[-1].coef_, atol=1e-10)


@pytest.mark.fast
@pytest.mark.parametrize("head", [LogisticRegression(), Ridge()], ids=["logistic", "ridge"])
def test_sparse_and_float32_rows(head, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(rng, "binary")
    S = sparse.random(240, 5, density=0.5, format="csr", random_state=global_random_seed)
    pipe = make_pipeline(StandardScaler(with_mean=False), head).fit(S, y).unlearn([3, 100])
    assert ways(pipe)[1] == "pushed through"
    again = make_pipeline(StandardScaler(with_mean=False), sklearn.base.clone(head))
    kept = pipe.sample_ids_
    again.fit(S.toarray()[kept], y[kept])
    assert_allclose(pipe[-1].coef_, again[-1].coef_, atol=1e-9)
    assert_array_equal(pipe[-1].find_samples(pipe[0].transform(S[[7]])), [7])
    pipe = make_pipeline(StandardScaler(), head).fit(X.astype(np.float32), y).unlearn([3, 100])
    assert ways(pipe)[1] == "pushed through"
    assert pipe[-1].coef_.dtype == np.float32
    again = make_pipeline(StandardScaler(), sklearn.base.clone(head)).fit(X[kept], y[kept])
    assert_allclose(pipe[-1].coef_, again[-1].coef_, atol=1e-3)


PROJECTED = [
    Ridge(alpha=2.0),
    LinearRegression(),
    RidgeCV(),
    RidgeClassifier(),
    ElasticNet(alpha=0.01, tol=1e-12, max_iter=10_000),
]


@pytest.mark.fast
@pytest.mark.parametrize("head", PROJECTED, ids=lambda head: type(head).__name__)
@pytest.mark.parametrize("whiten", [False, True])
def test_linear_models_behind_pca_equal_a_refitted_pipeline(head, whiten, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(200, 6)) * np.array([9.0, 7.0, 5.0, 1.0, 0.7, 0.5]) + 4
    y = X @ rng.normal(size=6) + rng.normal(size=200)
    y = np.digitize(y, np.quantile(y, [0.3, 0.6])) if isinstance(head, RidgeClassifier) else y
    head = sklearn.base.clone(head)
    pipe = make_pipeline(PCA(3, whiten=whiten), head).fit(X, y)
    for request in ([0], [7, 8], np.arange(100, 120)):
        pipe.unlearn(request)
        assert ways(pipe) == ["unlearned", "pushed through"]
        assert pipe.unlearning_report_.n_refitted <= 1
        kept = pipe.sample_ids_
        namesake = sklearn.pipeline.make_pipeline(
            sklearn.decomposition.PCA(3, whiten=whiten, svd_solver="full"),
            namesake_of(head, head.get_params()),
        ).fit(X[kept], y[kept])
        signs = np.sign((pipe[0].components_ * namesake[0].components_).sum(axis=1))
        tolerance = 1e-7 if isinstance(head, ElasticNet) else 1e-10
        scale = np.abs(namesake[-1].coef_).max()
        assert_allclose(pipe[-1].coef_ * signs, namesake[-1].coef_, atol=tolerance * scale)
        if not isinstance(head, RidgeClassifier):
            assert_allclose(pipe.predict(X), namesake.predict(X), rtol=0, atol=100 * tolerance)
    assert_array_equal(pipe[-1].find_samples(pipe[0].transform(X[[50, 7]])), [50])


@pytest.mark.fast
def test_what_pca_makes_a_refit_of(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(200, 4)) * [5.0, 3.0, 0.1, 0.1]
    X[:4, 2] += 50.0
    y = (X[:, 0] + rng.logistic(size=200) > 0).astype(int)
    for head in (Ridge(), LogisticRegression(), Ridge(fit_intercept=False)):
        pipe = make_pipeline(PCA(0.95), head).fit(X, y).unlearn(np.arange(4))
        assert ways(pipe) == ["unlearned", "refitted"]
        again = make_pipeline(PCA(0.95), sklearn.base.clone(head)).fit(X[4:], y[4:])
        assert pipe[-1].coef_.shape == again[-1].coef_.shape
        assert_allclose(pipe.predict(X), again.predict(X), atol=1e-8)


@pytest.mark.fast
def test_a_shift_without_an_intercept_is_no_push_through(global_random_seed):
    X, y = draw(np.random.default_rng(global_random_seed), "poisson")
    pipe = make_pipeline(StandardScaler(), Ridge(fit_intercept=False)).fit(X, y).unlearn([3])
    namesake = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.linear_model.Ridge(fit_intercept=False)
    ).fit(np.delete(X, 3, 0), np.delete(y, 3))
    assert_allclose(pipe[-1].coef_, namesake[-1].coef_, atol=1e-10)


def test_a_refit_starts_where_the_model_stood(monkeypatch):
    X, y = draw(np.random.default_rng(0), "binary", n=2000)
    pipe = make_pipeline(PCA(2), LogisticRegression()).fit(X, y)
    cold = make_pipeline(PCA(2), LogisticRegression()).fit(X[1:], y[1:])
    pipe.unlearn(0)
    assert pipe[-1].n_iter_ < cold[-1].n_iter_
    assert_allclose(pipe[-1].coef_, cold[-1].coef_, atol=1e-9)
    assert "_former" not in vars(pipe[-1])
