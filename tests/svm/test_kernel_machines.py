import copy
import pickle
import warnings

import numpy as np
import pytest
import sklearn.svm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.svm import SVC, SVR
from skunlearn.svm._machine import Machine

KERNELS = [
    {"gamma": 0.3},
    {"kernel": "linear"},
    {"kernel": "poly", "degree": 2, "gamma": 0.2, "coef0": 1.0},
    {"kernel": "sigmoid", "gamma": 0.02, "coef0": -1.0},
    {"gamma": "scale"},
    {"gamma": "auto"},
]


def draw_table(seed, n=80, d=3, n_classes=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    score = X[:, 0] + 0.5 * X[:, 1] ** 2 + 0.7 * rng.normal(size=n)
    if not n_classes:
        return X, score
    return X, np.array(["a", "b", "c", "d"])[score.argsort().argsort() * n_classes // n]


def refit(model, X, y, **weights):
    namesake = getattr(sklearn.svm, type(model).__name__)
    params = {k: v for k, v in model.get_params().items() if k != "probability"}
    return namesake(**params | {"tol": 1e-6}).fit(X, y, **weights)


def scores_of(model, X):
    return model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)


def optimality_gap(model, X, y):
    """Largest violation of the optimality conditions of a binary SVC, worked out anew."""
    value = model.decision_function(X) * np.where(y == model.classes_[1], 1.0, -1.0)
    alpha = np.zeros(len(X))
    alpha[model.support_] = np.abs(model.dual_coef_[0])
    gap = np.where(alpha < model.C, 1.0 - value, 0.0).max(initial=0.0)
    gap = max(gap, np.where(alpha > 0.0, value - 1.0, 0.0).max(initial=0.0))
    return max(gap, abs(model.dual_coef_.sum()), -alpha.min(), alpha.max() - model.C)


@pytest.mark.fast
@pytest.mark.parametrize("params", KERNELS, ids=str)
@pytest.mark.parametrize("n_classes", [0, 2, 4])
def test_equal_scikit_learn_before_and_after(params, n_classes, global_random_seed):
    X, y = draw_table(global_random_seed, n_classes=n_classes)
    model = (SVC(**params) if n_classes else SVR(C=2.0, **params)).fit(X, y)
    for request in ([], [4], [7, 30, 41], list(range(60, 75))):
        model.unlearn(request)
        kept = model.sample_ids_
        namesake = refit(model, X[kept], y[kept])
        assert_allclose(scores_of(model, X), scores_of(namesake, X), rtol=2e-4, atol=2e-4)
        assert np.mean(model.predict(X) == namesake.predict(X)) > 0.98 or not n_classes
        assert_array_equal(model.support_vectors_, X[kept][model.support_])
        for name in ("intercept_", "n_support_", "support_", "shape_fit_", "dual_coef_"):
            assert np.ndim(getattr(model, name)) == np.ndim(getattr(namesake, name))
        assert model.intercept_.shape == namesake.intercept_.shape
        if "linear" in params.values():
            assert_allclose(model.coef_, namesake.coef_, rtol=1e-3, atol=1e-3)


@pytest.mark.fast
@pytest.mark.parametrize("C", [0.05, 1.0, 50.0])
@pytest.mark.parametrize("params", KERNELS[:3], ids=str)
def test_one_by_one_stays_at_the_optimum(params, C, global_random_seed):
    X, y = draw_table(global_random_seed)
    model = SVC(C=C, **params).fit(X, y)
    assert optimality_gap(model, X, y) <= 1e-9 * max(1.0, C)
    n_refitted = 0
    for i in np.random.default_rng(global_random_seed).permutation(len(X))[:50]:
        model.unlearn(i)
        kept = model.sample_ids_
        assert optimality_gap(model, X[kept], y[kept]) <= 1e-9 * max(1.0, C)
        report = model.unlearning_report_
        assert report.guarantee.error <= report.guarantee.tolerance
        n_refitted += report.n_refitted
    again = SVC(C=C, **params).fit(X[kept], y[kept])
    assert_allclose(model.decision_function(X), again.decision_function(X), atol=1e-7)
    assert_allclose(model.dual_coef_, again.dual_coef_, atol=1e-7 * C)
    assert n_refitted <= 3


@pytest.mark.fast
@pytest.mark.parametrize("shape", ["ovr", "ovo"])
def test_multi_class_decisions(shape):
    X, y = load_iris(return_X_y=True)
    X = X + 0.05 * np.random.default_rng(0).normal(size=X.shape)
    model = SVC(gamma=0.2, decision_function_shape=shape).fit(X, y).unlearn(range(0, 150, 7))
    kept = model.sample_ids_
    namesake = refit(model, X[kept], y[kept])
    assert_allclose(model.decision_function(X), namesake.decision_function(X), atol=1e-4)
    assert_array_equal(model.predict(X), namesake.predict(X))
    assert_array_equal(model.n_support_, namesake.n_support_)
    assert_array_equal(model.support_, namesake.support_)
    assert_allclose(model.dual_coef_, namesake.dual_coef_, atol=1e-3)
    if shape == "ovr":
        ties = model.set_params(break_ties=True).predict(X)
        assert_array_equal(ties, namesake.set_params(break_ties=True).predict(X))
    else:
        with pytest.raises(ValueError, match="break_ties must be False"):
            model.set_params(break_ties=True).predict(X)


@pytest.mark.fast
@pytest.mark.parametrize("n_classes", [0, 2, 3])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_weights_and_sparse_rows(n_classes, as_sparse, global_random_seed):
    X, y = draw_table(global_random_seed, n_classes=n_classes)
    X[X < -1.0] = 0.0
    weight = np.random.default_rng(global_random_seed).integers(0, 4, len(X)) / 2
    table = sparse.csr_matrix(X) if as_sparse else X
    params = {"class_weight": {"a": 3.0}} if n_classes else {}
    model = (SVC(gamma=0.3, **params) if n_classes else SVR(gamma=0.3)).fit(table, y, weight)
    for request in ([1], [2, 3, 10], [11], [50, 51]):
        model.unlearn(request)
        kept = model.sample_ids_[weight[model.sample_ids_] > 0]
        namesake = refit(model, X[kept], y[kept], sample_weight=weight[kept])
        assert_allclose(scores_of(model, table), scores_of(namesake, X), atol=1e-4)
        held = model.sample_ids_
        again = clone(model).fit(table[held], y[held], weight[held])
        assert_allclose(scores_of(model, table), scores_of(again, X), atol=1e-8)
    assert sparse.issparse(model.dual_coef_) == as_sparse
    assert sparse.issparse(model.support_vectors_) == as_sparse


@pytest.mark.fast
def test_balanced_class_weights_are_chosen_anew(global_random_seed):
    X, y = draw_table(global_random_seed)
    model = SVC(gamma=0.3, class_weight="balanced").fit(X, y).unlearn(0)
    kept = model.sample_ids_
    assert model.unlearning_report_.n_refitted == 1
    namesake = refit(model, X[kept], y[kept])
    assert_allclose(model.class_weight_, namesake.class_weight_)
    assert_allclose(model.decision_function(X), namesake.decision_function(X), atol=1e-4)


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, n_classes = data.draw(st.integers(12, 40)), data.draw(st.sampled_from([0, 2, 3]))
    X, y = draw_table(rng.integers(2**32), n=n, n_classes=n_classes)
    if data.draw(st.booleans()):
        X = np.round(X)
    ids = rng.integers(0, n, n)
    C = data.draw(st.sampled_from([0.01, 1.0, 30.0]))
    kernel = data.draw(st.sampled_from(["linear", "rbf"]))
    params = {"kernel": kernel, "gamma": 0.4, "C": C}
    if n_classes:
        params["decision_function_shape"] = "ovo"  # the votes of 'ovr' jump
    cls = SVC if n_classes else SVR
    model = cls(**params).fit(X, y, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1][:8]:
        kept = np.isin(ids, model.sample_ids_) & (ids != i)
        if n_classes and len(set(y[kept])) < 2:
            with pytest.raises(NotUnlearnableError, match="one class only"):
                model.unlearn(i)
            continue
        model.unlearn(i)
        again = cls(**params).fit(X[kept], y[kept])
        assert_allclose(scores_of(model, X), scores_of(again, X), rtol=1e-6, atol=1e-6)
        assert_allclose(model.dual_coef_, again.dual_coef_, atol=1e-6 * C)
        assert_array_equal(model.support_, again.support_)
        if data.draw(st.booleans()):
            model.purge()


@pytest.mark.fast
def test_few_rows_all_at_their_bounds_reach_the_optimum():
    for seed in range(200):
        X, y = draw_table(seed, n=12)
        model = SVC(kernel="linear", C=0.01).fit(X, y)
        assert optimality_gap(model, X, y) <= 1e-9


def test_rows_without_say_leave_for_nothing():
    X, y = load_breast_cancer(return_X_y=True)
    model = SVC(gamma=1e-5).fit(X, y)
    model.unlearn(model.support_[:1])
    free = np.setdiff1d(np.arange(len(model.sample_ids_)), model.support_)
    before = model.decision_function(X)
    model.unlearn(model.sample_ids_[free[:20]])
    assert_allclose(model.decision_function(X), before, atol=1e-9)
    assert model.unlearning_report_.n_refitted == 0


@pytest.mark.fast
def test_many_support_vectors_at_once_and_equal_rows_on_the_margin_are_fitted_anew():
    X, y = draw_table(0, n=200)
    model = SVC(gamma=0.3).fit(X, y)
    model.unlearn(model.support_[:60])
    assert model.unlearning_report_.n_refitted == 1
    X[100:], y[100:] = X[:100], y[:100]
    model = SVC(gamma=0.3, C=10.0).fit(X, y).unlearn(0)
    assert model.unlearning_report_.n_refitted == 1
    assert_array_equal(model.dual_coef_, SVC(gamma=0.3, C=10.0).fit(X[1:], y[1:]).dual_coef_)


@pytest.mark.fast
@pytest.mark.parametrize("cls", [SVC, SVR])
def test_callable_kernels_and_their_failure(cls, global_random_seed):
    X, y = draw_table(global_random_seed, n_classes=2 if cls is SVC else 0)
    works = [True]

    def kernel(A, B):
        if not works[0]:
            raise KeyError("no such table")
        assert np.abs(A).sum(axis=1).min() > 0
        assert np.abs(B).sum(axis=1).min() > 0
        return np.exp(-0.3 * ((A[:, None] - B) ** 2).sum(axis=2))

    model = cls(kernel=kernel).fit(X, y)
    named = cls(gamma=0.3).fit(X, y)
    for request in ([0], [1, 2], [3]):
        model.unlearn(request)
        named.unlearn(request)
        assert_allclose(scores_of(model, X[:5]), scores_of(named, X[:5]), atol=1e-9)
    assert_array_equal(model.to_predictor().predict(X), named.predict(X)) if cls is SVC else None
    before = scores_of(model, X)
    works[0] = False
    with pytest.raises(ValueError, match=r"kernel .* failed: 'no such table'"):
        copy.copy(model).unlearn(4)
    with pytest.raises(ValueError, match=r"kernel .* failed"):
        model.unlearn(model.sample_ids_[model.support_[:1]])
    works[0] = True
    assert_array_equal(scores_of(model, X), before)
    model.unlearn(4)
    with pytest.raises(ValueError, match="matrix of shape"):
        cls(kernel=lambda A, B: np.zeros(3)).fit(X, y)
    with pytest.raises(ValueError, match="not finite"):
        cls(kernel=lambda A, B: np.full((len(A), len(B)), np.nan)).fit(X, y)


@pytest.mark.fast
@pytest.mark.parametrize("cls", [SVC, SVR])
def test_predictor_is_scikit_learns_own(cls, global_random_seed):
    for n_classes in (2, 3):
        X, y = draw_table(global_random_seed, n_classes=n_classes if cls is SVC else 0)
        for table in (X, sparse.csr_matrix(X)):
            model = cls(gamma=0.3).fit(table, y).unlearn([1, 2])
            predictor = model.to_predictor()
            assert type(predictor) is getattr(sklearn.svm, cls.__name__)
            assert_allclose(scores_of(predictor, table), scores_of(model, table), rtol=1e-9)
            assert_array_equal(predictor.n_support_, model.n_support_)
            assert_array_equal(pickle.loads(pickle.dumps(predictor)).support_, model.support_)


@pytest.mark.fast
def test_a_vanished_class_vanishes_and_the_last_two_stay():
    X, y = draw_table(3, n_classes=3)
    model = SVC(gamma=0.3).fit(X, y).unlearn(np.flatnonzero(y == "b"))
    assert model.classes_.tolist() == ["a", "c"]
    assert model.decision_function(X).ndim == 1
    with pytest.raises(NotUnlearnableError, match="one class only"):
        model.unlearn(np.flatnonzero(y == "a"))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SVC(kernel="precomputed"), "Pass the kernel as a callable"),
        (SVR(kernel="precomputed"), "Pass the kernel as a callable"),
        (SVC(probability=True), "Use sklearn.calibration.CalibratedClassifierCV"),
    ],
)
def test_what_fit_refuses(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(np.eye(4), [0, 1, 0, 1])


@pytest.mark.fast
def test_weights_that_are_not_positive():
    X, y = draw_table(0)
    with pytest.raises(ValueError, match="all samples have zero or negative weights"):
        SVR().fit(X, np.arange(80.0), np.full(80, -1.0))
    with pytest.raises(ValueError, match=r"all samples of these classes .*: b"):
        SVC().fit(X, y, (y == "a").astype(float))
    weight = np.where(np.arange(80) < 70, y == "a", 1.0)
    model = SVC().fit(X, y, weight)
    with pytest.raises(NotUnlearnableError, match=r"cannot be fitted: .*: b"):
        model.unlearn(np.arange(70, 80))


@pytest.mark.fast
def test_purge_and_a_failed_request_leave_no_machine_in_use():
    X, y = draw_table(1)
    model = SVC(gamma=0.3).fit(X, y).unlearn([0])
    ((_, machine),) = model._machines.machines
    columns = machine._columns
    assert columns.any()
    model.purge()
    assert not columns.any()
    assert not model._machines.machines


def test_a_machine_without_rows_on_the_margin():
    y = np.array([1.0, 1.0, -1.0, -1.0])
    nodes = np.column_stack([np.minimum(0.1 * y, 0.0), np.maximum(0.1 * y, 0.0)])
    gram = np.diag([1.0, 1.1, 1.2, 1.3])
    machine = Machine(lambda rows: gram[rows], nodes, y[:, None], 0.1 * y)
    machine.polish()
    assert_allclose(machine.theta, 0.1 * y)
    assert_allclose(machine.intercept, (0.89 - 0.87) / 2)
    machine.forget(np.array([0]))
    machine.touch_up()
    assert_allclose(machine.theta.sum(), 0.0, atol=1e-15)


def hostile_machine(rng):
    """Draw rows and a machine with bounds of any size, which may be hard margins."""
    n, spread = int(rng.integers(20, 40)), rng.choice([0.0, 0.5, 3.0])
    sign = np.where(np.arange(n) % 2, 1.0, -1.0)
    X = rng.normal(size=(n, int(rng.integers(1, 4)))) + spread * sign[:, None]
    weight = rng.choice(
        [np.ones(n), 10.0 ** rng.uniform(-12, 12, n), 10.0 ** rng.choice([0, 10], n)]
    )
    kernel = rng.choice(["linear", "rbf", "poly"])
    C = rng.choice([1e-6, 1.0, 1e5, 1e9, 1e10, 1e12])
    params = {"kernel": kernel, "C": C, "gamma": 0.3, "coef0": 1.0, "max_iter": 50_000}
    if rng.random() < 0.6:
        return SVC(**params), X, sign, weight
    return SVR(**params), X, X[:, 0] + 0.2 * rng.normal(size=n), weight


def primal(model, X, y, weight):
    """Work out the primal objective of a machine that is fitted on all rows."""
    theta = np.zeros(len(X))
    theta[model.support_] = model.dual_coef_[0]
    value = scores_of(model, X)
    is_classifier = hasattr(model, "classes_")
    loss = np.maximum(1.0 - y * value if is_classifier else np.abs(y - value) - 0.1, 0.0)
    loss[loss < 1e-9] = 0.0
    return 0.5 * theta @ (value - model.intercept_) + model.C * weight @ loss


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("part", range(8))
def test_bounds_of_any_size(part, global_random_seed):
    rng = np.random.default_rng([global_random_seed, part])
    for _ in range(4):
        model, X, y, weight = hostile_machine(rng)
        params = model.get_params() | {"tol": 1e-3}
        params.pop("probability", None)
        namesake = getattr(sklearn.svm, type(model).__name__)(**params).fit(X, y, weight)
        model.fit(X, y, weight, sample_ids="row numbers")
        worst = primal(namesake, X, y, weight)
        assert primal(model, X, y, weight) <= worst * (1.0 + 1e-6) + 1e-9
        if namesake.fit_status_:
            continue
        gone = rng.permutation(len(X))[:3]
        kept = np.delete(np.arange(len(X)), gone)
        anew = clone(model).fit(X[kept], y[kept], weight[kept])
        model.unlearn(gone)
        expected = scores_of(anew, X)
        assert_allclose(scores_of(model, X), expected, rtol=0.0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.fast
@pytest.mark.parametrize("C", [1e9, 1e10, 1e12, np.inf])
def test_hard_margin(C, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    y = np.repeat([0, 1], 25)
    X = rng.normal(size=(50, 2)) + 6.0 * y[:, None] - 3.0
    model = SVC(kernel="linear", C=C).fit(X, y, sample_ids="row numbers")
    for request in (model.support_, [10, 40]):
        model.unlearn(model.sample_ids_[request])
        kept = model.sample_ids_
        namesake = sklearn.svm.SVC(kernel="linear", C=C, tol=1e-8).fit(X[kept], y[kept])
        assert_allclose(model.coef_, namesake.coef_, rtol=1e-5)
        assert_allclose(model.intercept_, namesake.intercept_, rtol=1e-5, atol=1e-6)
        assert model.score(X[kept], y[kept]) == 1.0


@pytest.mark.fast
def test_what_is_lost_in_rounding_is_fitted_anew(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    weight = np.where(np.arange(40) % 3, 1.0, 1e10)
    model = SVC(kernel="linear", max_iter=20_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        anew = clone(model).fit(X[3:], y[3:], weight[3:])
        model.fit(X, y, weight, sample_ids="row numbers").unlearn([0, 1, 2])
    assert model.unlearning_report_.n_refitted
    assert_array_equal(model.coef_, anew.coef_)
