import copy
import pickle

import numpy as np
import pytest
import sklearn
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from skunlearn._privacy.accounting import gaussian_epsilon, gaussian_mu
from skunlearn._privacy.noise import secret_normal
from skunlearn.exceptions import BudgetExhaustedError, NotUnlearnableError
from skunlearn.linear_model import CertifiedLogisticRegression, LogisticRegression
from skunlearn.linear_model._certified_removal import _shape
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks

# The default instance is checked with all public estimators.
INSTANCES = [
    CertifiedLogisticRegression(mechanism="guo2020", max_norm=40.0),
    CertifiedLogisticRegression(class_weight="balanced", max_norm=5.0),
]


# What scikit-learn 1.6 cannot check of estimators for two classes: it makes them in two ways.
UNCHECKED = (
    {
        f"check_sample_weight_equivalence_on_{kind}_data": "the check is wrong for two classes"
        for kind in ("dense", "sparse")
    }
    if parse_version(sklearn.__version__) < parse_version("1.7")
    else {}
)


@parametrize_with_checks(INSTANCES, expected_failed_checks=lambda estimator: UNCHECKED)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@parametrize_with_unlearning_checks(INSTANCES)
def test_unlearning_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def table():
    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def secret(model):
    return model._state.theta


def shape_of(model):
    return _shape(model._problem(model._weights()), model._squares)


def drawn(model):
    """Recover the standard normal numbers of a release from the secret state."""
    noise = np.append(model.coef_[0], model.intercept_) - secret(model)
    return noise * np.sqrt(shape_of(model)) / model.noise_scale_


@pytest.mark.fast
def test_the_secret_solution_is_that_of_logistic_regression(table):
    X, y = table
    model = CertifiedLogisticRegression(C=0.3, epsilon=2.0, random_state=0).fit(X, y)
    exact = LogisticRegression(C=0.3).fit(X, y)
    assert_allclose(secret(model)[:-1], exact.coef_[0], rtol=1e-7, atol=1e-9)
    assert np.abs(model.coef_ - exact.coef_).max() > 1e-6
    assert np.mean(model.predict(X) == exact.predict(X)) > 0.99
    assert_allclose(model.noise_scale_, 0.01 / gaussian_mu(2.0, 1e-5))


@pytest.mark.fast
def test_every_release_has_noise_of_its_own(table):
    X, y = table
    model = CertifiedLogisticRegression(random_state=3).fit(X, y)
    again = CertifiedLogisticRegression(random_state=3).fit(X, y)
    other = CertifiedLogisticRegression().fit(X, y)
    assert_array_equal(model.coef_, again.coef_)
    releases = [drawn(model), drawn(other)]
    twin = copy.deepcopy(model).unlearn(7)
    releases.append(drawn(twin))
    for row in (0, 7, 9):
        releases.append(drawn(model.unlearn(row)))
        again.unlearn(row)
    assert_array_equal(model.coef_, again.coef_)
    overlap = np.corrcoef(releases) - np.eye(len(releases))
    assert np.abs(overlap).max() < 0.8
    releases = np.concatenate(releases)
    assert abs(releases.mean()) < 0.4
    assert 0.7 < releases.std() < 1.3
    purged = model.coef_.copy()
    assert_array_equal(model.purge().unlearn([]).coef_, purged)


@pytest.mark.fast
def test_secret_numbers_are_normal_and_depend_on_key_and_purpose():
    numbers = secret_normal(b"k" * 32, b"a", 20_000)
    assert abs(numbers.mean()) < 0.03
    assert abs(numbers.std() - 1) < 0.03
    assert np.isfinite(numbers).all()
    assert_array_equal(numbers[:9], secret_normal(b"k" * 32, b"a", 9))
    for key, purpose in ((b"l" * 32, b"a"), (b"k" * 32, b"b")):
        others = secret_normal(key, purpose, 20_000)
        assert abs(np.corrcoef(numbers, others)[0, 1]) < 0.03


@given(st.data())
def test_law_of_secret_solutions(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(16, 60))
    X, ids = rng.normal(size=(n, 3)), rng.integers(0, n // 2, n)
    y = rng.permutation(np.arange(n) % 2)
    shared = {
        "C": data.draw(st.sampled_from([0.01, 1.0, 100.0])),
        "fit_intercept": data.draw(st.booleans()),
        "class_weight": data.draw(st.sampled_from([None, "balanced", {0: 2.0}])),
        "bound_budget": data.draw(st.sampled_from([1e-5, 0.01, 1.0])),
    }
    model = CertifiedLogisticRegression(**shared).fit(X, y, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist())))):
        left = np.isin(ids, model.sample_ids_) & (ids != i)
        if np.unique(y[left]).size < 2:
            with pytest.raises(NotUnlearnableError):
                model.unlearn(i)
            break
        model.unlearn(i)
        again = CertifiedLogisticRegression(**shared).fit(X[left], y[left], sample_ids=ids[left])
        gap = secret(model) - secret(again)
        assert np.sqrt(gap**2 @ shape_of(again)) <= model.budget_spent_ + again.budget_spent_
        assert model.budget_spent_ <= 0.49 * model.bound_budget
        assert_allclose(shape_of(model), shape_of(again), rtol=1e-12)


@pytest.mark.parametrize("mechanism", ["output", "guo2020"])
def test_sparse_and_float32_rows(mechanism, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = sparse.random(200, 6, density=0.4, format="csr", random_state=global_random_seed)
    y = rng.permutation(np.arange(200) % 2)
    model = CertifiedLogisticRegression(mechanism=mechanism, max_norm=0.8, random_state=0)
    dense = copy.copy(model).fit(X.toarray(), y).unlearn([3, 100])
    few = copy.copy(model).fit(X, y).unlearn([3, 100])
    assert_allclose(secret(few), secret(dense), rtol=1e-6, atol=1e-8)
    assert_array_equal(few.find_samples(X[[5]]), dense.find_samples(X[[5]].toarray()))
    assert 5 in few.find_samples(X[[5]])
    single = copy.copy(model).fit(X.toarray().astype(np.float32), y).unlearn([3, 100])
    assert single.coef_.dtype == np.float32
    assert_allclose(secret(single), secret(dense), rtol=1e-3, atol=1e-4)


@pytest.mark.fast
def test_columns_of_any_scale_are_certified_and_hopeless_rows_are_refused():
    X, y = load_breast_cancer(return_X_y=True)
    model = CertifiedLogisticRegression().fit(X, y).unlearn([3])
    assert model.budget_spent_ < 1e-4
    X[0] *= 1e9
    with pytest.raises(ValueError, match="max_norm"):
        CertifiedLogisticRegression().fit(X, y)
    CertifiedLogisticRegression(max_norm=5000.0).fit(X, y).unlearn(0)


@pytest.mark.fast
def test_a_request_whose_result_cannot_be_certified_is_refused(table, monkeypatch):
    X, y = table
    model = CertifiedLogisticRegression().fit(X, y)
    before = pickle.dumps(model)
    monkeypatch.setattr(
        "skunlearn.linear_model._certified_removal.distance", lambda *arguments: np.inf
    )
    with pytest.raises(NotUnlearnableError, match="the noise covers"):
        model.unlearn(3)
    assert pickle.dumps(model) == before


@pytest.mark.fast
def test_what_is_not_supported_names_what_is():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"LogisticRegression\(unlearning='bounded'\)"):
        CertifiedLogisticRegression().fit(X, y)
    X, y = X[:100], y[:100]
    with pytest.raises(ValueError, match="norm 9"):
        CertifiedLogisticRegression(mechanism="guo2020").fit(X, y)
    with pytest.raises(ValueError, match="mechanism='output'"):
        CertifiedLogisticRegression(mechanism="guo2020", class_weight="balanced").fit(X, y)
    with pytest.raises(ValueError, match="'C' parameter"):
        CertifiedLogisticRegression(C=np.inf).fit(X, y)
    model = CertifiedLogisticRegression().fit(X, y)
    assert not hasattr(model, "prediction_bound")
    with pytest.raises(ValueError, match="set after fit"):
        model.set_params(epsilon=0.01).unlearn(3)
    assert model.set_params(epsilon=1.0).unlearn(3).n_releases_ == 1


@pytest.mark.fast
def test_the_predictor_has_what_is_published_and_no_secret(table):
    X, y = table
    model = CertifiedLogisticRegression(random_state=5).fit(X, y).unlearn([1, 2])
    predictor = model.to_predictor()
    assert type(predictor) is sklearn.linear_model.LogisticRegression
    assert_array_equal(predictor.coef_, model.coef_)
    assert_allclose(predictor.predict_proba(X), model.predict_proba(X), rtol=1e-6, atol=1e-12)
    assert predictor.random_state is None
    assert secret(model)[:1].tobytes() not in pickle.dumps(predictor)
    assert secret(model)[:1].tobytes() in pickle.dumps(model)


@pytest.mark.fast
def test_reports_state_what_is_claimed_and_what_is_not(table):
    X, y = table
    model = CertifiedLogisticRegression(epsilon=0.5, delta=1e-6).fit(X, y)
    assert model.n_releases_ == 0
    assert "not chosen by looking" in model._repr_mimebundle_()["text/html"]
    epsilons = []
    for row in range(4):
        guarantee = model.unlearn(row).unlearning_report_.guarantee
        assert (guarantee.epsilon, guarantee.delta) == (0.5, 1e-6)
        assert guarantee.bound == model.budget_spent_
        epsilons.append(guarantee.composed_epsilon)
    assert epsilons[0] == pytest.approx(0.5, rel=1e-6)
    assert epsilons[3] == pytest.approx(1.06, rel=0.05)
    text = str(model.unlearning_report_)
    assert "certified" in text
    assert "over 4 releases" in text
    assert "requests not chosen by looking at earlier releases" in text
    assert model.requests_until_refit_ == np.inf
    assert model.fit(X, y).n_releases_ == 0


@pytest.mark.fast
def test_a_pipeline_publishes_anew_and_counts_its_releases(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), CertifiedLogisticRegression(random_state=1)).fit(X, y)
    releases = [drawn(pipe[-1])]
    for row in range(3):
        guarantee = pipe.unlearn(row).unlearning_report_.guarantee
        assert (guarantee.kind, guarantee.epsilon, guarantee.delta) == ("certified", 1.0, 1e-5)
        assert guarantee.n_releases == row + 1
        composed = gaussian_epsilon(1e-5, gaussian_mu(1.0, 1e-5) * np.sqrt(row + 1))
        assert guarantee.composed_epsilon == pytest.approx(composed, rel=1e-6)
        releases.append(drawn(pipe[-1]))
    assert np.abs(np.corrcoef(releases) - np.eye(4)).max() < 0.8
    again = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[3:], y[3:])
    assert_allclose(secret(pipe[-1])[:-1], again[-1].coef_[0], rtol=1e-7)


def in_unit_ball(X):
    return X / np.linalg.norm(X, axis=1).max()


@pytest.mark.fast
def test_a_spent_budget_raises_and_changes_nothing_or_refits_with_fresh_noise(table):
    X, y = in_unit_ball(table[0]), table[1]
    shared = {"mechanism": "guo2020", "bound_budget": 0.5, "random_state": 0}
    strict = CertifiedLogisticRegression(on_exhausted="raise", **shared).fit(X, y)
    lenient = CertifiedLogisticRegression(**shared).fit(X, y)
    tilt = lenient._tilt.copy()
    spent = [strict.budget_spent_]
    for row in range(300):
        lenient.unlearn(row)
        if lenient.unlearning_report_.n_refitted:
            break
        strict.unlearn(row)
        spent.append(strict.budget_spent_)
        assert_allclose(strict.budget_left_, 0.5 - strict.budget_spent_)
        assert_array_equal(strict.coef_, lenient.coef_)
    assert 5 < row < 300
    assert (np.diff(spent) > 0).all()
    before = pickle.dumps(strict)
    with pytest.raises(BudgetExhaustedError, match=r"of a budget of 0\.5"):
        strict.unlearn(row)
    assert pickle.dumps(strict) == before
    assert np.abs(np.corrcoef(lenient._tilt, tilt)[0, 1]) < 0.8
    assert lenient.budget_spent_ < 0.011
    kept = np.arange(row + 1, len(y))
    slope = lenient._problem(lenient._weights()).gradient_sums(secret(lenient)).gradient
    assert np.linalg.norm(slope) < 1e-8
    assert_array_equal(lenient.sample_ids_, kept)
    assert lenient.unlearning_report_.guarantee.composed_epsilon is None


def test_the_estimate_of_requests_is_of_the_right_order(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = in_unit_ball(rng.normal(size=(5000, 5)))
    y = (X[:, 0] + 0.3 * rng.normal(size=5000) > 0).astype(int)
    model = CertifiedLogisticRegression(
        mechanism="guo2020", bound_budget=0.3, random_state=global_random_seed
    ).fit(X, y)
    estimates = [model.requests_until_refit_]
    for row in rng.permutation(5000):
        model.unlearn(row)
        if model.unlearning_report_.n_refitted:
            break
        estimates.append(model.requests_until_refit_)
    n = len(estimates)
    assert n / 6 < estimates[0] < 6 * n
    assert n / 12 < estimates[n // 2] < 3 * n
    assert estimates[-1] < 0.3 * n


@pytest.mark.fast
def test_sums_that_have_lost_digits_are_made_anew():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = rng.permutation(np.arange(200) % 2)
    X[:5] *= 3e4
    model = CertifiedLogisticRegression(C=1e-3, bound_budget=1.0).fit(X, y).unlearn(range(5))
    again = CertifiedLogisticRegression(C=1e-3, bound_budget=1.0).fit(X[5:], y[5:])
    assert_allclose(model._squares, again._squares, rtol=1e-12)
    assert_array_equal(model._peak, again._peak)


@pytest.mark.fast
@pytest.mark.parametrize("mechanism", ["output", "guo2020"])
def test_columns_of_zeros(mechanism):
    X, y = np.zeros((20, 2)), np.arange(20) % 2
    model = CertifiedLogisticRegression(mechanism=mechanism).fit(X, y).unlearn([0, 1, 3])
    assert np.isfinite(model.coef_).all()
    assert model.n_releases_ == 1


def test_light_rows_are_certified_once_heavy_ones_are_gone_if_a_fit_certifies_them():
    n_certified = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X, weight = rng.normal(size=(40, 3)), np.where(np.arange(40) < 8, 1e6, 1e-30)
        y = (X[:, 0] + 1.0 + rng.normal(size=40) > 0).astype(int)
        y[:2] = 0, 1
        model = CertifiedLogisticRegression(random_state=0).fit(X, y, weight)
        try:
            CertifiedLogisticRegression(random_state=0).fit(X[8:], y[8:], weight[8:])
        except ValueError:
            continue
        assert model.unlearn(range(8)).budget_spent_ < 1e-9
        n_certified += 1
    assert n_certified > 3


@pytest.mark.parametrize("on_exhausted", ["raise", "refit"])
def test_a_spent_budget_is_foretold(table, on_exhausted):
    X, y = table
    model = CertifiedLogisticRegression(
        mechanism="guo2020", max_norm=5.0, bound_budget=0.05, C=0.1, on_exhausted=on_exhausted
    )
    model.fit(X, y, sample_ids=np.arange(len(y)))
    rng = np.random.default_rng(0)
    n_refits = 0
    for n_ids in (1, 1, 3, 10, 30, 100):
        ids = rng.choice(model.sample_ids_, n_ids, replace=False)
        spent = model.budget_spent_
        try:
            cost = model.unlearning_cost(ids)
        except BudgetExhaustedError:
            with pytest.raises(BudgetExhaustedError):
                model.unlearn(ids)
            n_refits += 1
            continue
        assert model.budget_spent_ == spent
        report = model.unlearn(ids).unlearning_report_
        assert cost.n_parts_touched == report.n_refitted
        assert (cost.n_passes > 0.0) == bool(report.n_refitted)
        n_refits += report.n_refitted
    assert 0 < n_refits < 6


def test_passes_of_output_perturbation_are_foretold(table):
    X, y = table
    model = CertifiedLogisticRegression(max_norm=5.0, C=0.001)
    model.fit(X, y, sample_ids=np.arange(len(y)))
    for row in range(3):
        cost = model.unlearning_cost(row)
        assert (cost.n_passes, cost.n_parts_touched) == (1.0, 0)
        assert copy.deepcopy(model).unlearn(row).unlearning_report_.n_refitted == 0
    cost = model.unlearning_cost(range(200))
    assert cost.n_passes > 5.0
    assert cost.n_parts_touched == 1
    assert copy.deepcopy(model).unlearn(range(200)).unlearning_report_.n_refitted == 1


def test_parameters_set_after_fit_are_refused_when_asked(table):
    X, y = table
    model = CertifiedLogisticRegression(max_norm=5.0).fit(X, y, sample_ids=np.arange(len(y)))
    with pytest.raises(ValueError, match="Parameters were set after fit"):
        model.set_params(epsilon=2.0).unlearning_cost(3)
