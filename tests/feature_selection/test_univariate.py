import functools
import warnings

import numpy as np
import pytest
import sklearn.feature_selection
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.feature_selection import mutual_info_classif, r_regression

import skunlearn.feature_selection
from skunlearn._kernels.univariate_scores import cross_scatter
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.feature_selection import (
    GenericUnivariateSelect,
    SelectKBest,
    SelectPercentile,
    chi2,
    f_classif,
    f_regression,
)
from skunlearn.utils import get_unlearning_tags
from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks

FUNCTIONS = [f_classif, f_regression, chi2]
SELECTORS = [
    ("SelectKBest", {"k": 3}),
    ("SelectKBest", {"k": "all"}),
    ("SelectKBest", {"k": 0}),
    ("SelectPercentile", {"percentile": 40}),
    ("SelectPercentile", {"percentile": 100}),
    ("SelectPercentile", {"percentile": 0}),
    ("SelectFpr", {"alpha": 0.01}),
    ("SelectFdr", {"alpha": 0.01}),
    ("SelectFdr", {"alpha": 1e-300}),
    ("SelectFwe", {"alpha": 0.01}),
    ("GenericUnivariateSelect", {"mode": "k_best", "param": 2}),
    ("GenericUnivariateSelect", {"mode": "fdr", "param": 0.1}),
]


def make_rows(function, seed, n=240):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    strength = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.0, 0.3])
    X = rng.normal(size=(n, 7)) + np.outer(group, strength) + [0, 9, -4, 2, 30, 1, 1]
    if function is chi2:
        X = rng.poisson(np.exp(0.5 * np.abs(X - X.mean(axis=0)) + np.outer(group, strength)))
    if function is f_regression:
        return X, X @ strength + rng.normal(size=n), rng
    return X, np.array(["red", "green", "blue"])[group], rng


def pair(name, function, parameters):
    return [
        getattr(module, name)(function, **parameters)
        for module in (skunlearn.feature_selection, sklearn.feature_selection)
    ]


def assert_same_scores(ours, namesake, rtol=1e-10):
    for name in ("scores_", "pvalues_"):
        a, b = getattr(ours, name), getattr(namesake, name)
        largest = np.abs(b[np.isfinite(b)]).max(initial=1.0)
        assert_allclose(a, b, rtol=rtol, atol=rtol * largest)


@pytest.mark.fast
@pytest.mark.filterwarnings("ignore:No features were selected")
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("name", "parameters"), SELECTORS)
def test_fit_and_requests_equal_scikit_learn(name, parameters, function):
    X, y, rng = make_rows(function, 3)
    ours, namesake = pair(name, function, parameters)
    assert_same_scores(ours.fit(X, y), namesake.fit(X, y), 1e-9)
    for part in np.array_split(rng.permutation(240)[:180], 6):
        kept = ours.unlearn(part).sample_ids_
        assert_same_scores(ours, namesake.fit(X[kept], y[kept]), 1e-9)
        assert_array_equal(ours.get_support(), namesake.get_support())
        assert_same_scores(ours, type(ours)(**ours.get_params()).fit(X[kept], y[kept]))
    assert_array_equal(ours.transform(X), namesake.transform(X))
    assert_array_equal(ours.get_feature_names_out(), namesake.get_feature_names_out())
    if ours.get_support().any():
        back = ours.transform(X)
        assert_array_equal(ours.inverse_transform(back), namesake.inverse_transform(back))
    assert_array_equal(ours.to_predictor().get_support(), namesake.get_support())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sparse_rows_equal_dense_ones(function, global_random_seed):
    X, y, rng = make_rows(function, global_random_seed)
    X = np.where(rng.random(X.shape) < 0.5, 0, X)
    dense, thin = SelectKBest(function, k=2).fit(X, y), SelectKBest(function, k=2)
    thin.fit(sparse.csc_array(X), y)
    gone = rng.permutation(240)[:100]
    assert_same_scores(thin, dense)
    assert_same_scores(thin.unlearn(gone), dense.unlearn(gone))
    assert_array_equal(thin.transform(sparse.csr_array(X)).toarray(), dense.transform(X))


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    function = data.draw(st.sampled_from(FUNCTIONS))
    n, d = data.draw(st.integers(6, 40)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values, share = [0.0, 1.0, 2.5, 1e6, 1e-6], [0.3, 0.3, 0.2, 0.1, 0.1]
    X = rng.choice(values, size=(n, d), p=share)
    y = rng.choice([0.0, 1.0, 7.0], size=n, p=[0.5, 0.4, 0.1])
    y[:2] = 0.0, 1.0
    ids = rng.integers(0, max(2, n // 2), n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of constant columns
        selector = SelectKBest(function, k=1).fit(X, y, sample_ids=ids)
        for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
            kept = np.isin(ids, selector.sample_ids_) & (ids != i)
            try:
                again = SelectKBest(function, k=1).fit(X[kept], y[kept], sample_ids=ids[kept])
            except ValueError:
                with pytest.raises(NotUnlearnableError, match="one class"):
                    selector.unlearn(i)
                continue
            selector.unlearn([i, i])
            assert_same_scores(selector, again)
            assert_array_equal(selector.get_support(), again.get_support())


@pytest.mark.fast
@pytest.mark.parametrize("function", FUNCTIONS)
def test_columns_that_tie_are_told_apart_as_by_scikit_learn(function, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    flag = rng.random((300, 4)) < 0.3
    X = np.hstack([flag, ~flag]).astype(float)  # a column says the same as its complement
    y = (flag[:, 0] + rng.random(300) > 0.7).astype(int)
    for k in range(1, 8):
        ours, namesake = pair("SelectKBest", function, {"k": k})
        assert_array_equal(ours.fit(X, y).get_support(), namesake.fit(X, y).get_support())
        kept = ours.unlearn(rng.permutation(300)[:50]).sample_ids_
        assert_array_equal(ours.get_support(), namesake.fit(X[kept], y[kept]).get_support())


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e3, 1e6, 1e9])
def test_removed_outliers_leave_no_rounding_error(size, global_random_seed):
    for function in (f_classif, f_regression):
        X, y, _ = make_rows(function, global_random_seed)
        wild, target = X.copy(), y.copy()
        wild[:30] *= size
        if function is f_regression:
            target[10:40] *= size
        again = SelectKBest(function, k=2).fit(X[40:], y[40:])
        selector = SelectKBest(function, k=2).fit(wild, target).unlearn(range(40))
        assert_same_scores(selector, again)
        assert selector.unlearning_report_.guarantee.error <= 1e-10


@pytest.mark.fast
def test_a_vanished_class_vanishes_and_the_last_but_one_stays():
    X, y, _ = make_rows(f_classif, 0)
    selector = SelectKBest(k=2).fit(X, y)
    selector.unlearn(np.flatnonzero(y == "red"))
    rest = y != "red"
    assert_same_scores(selector, SelectKBest(k=2).fit(X[rest], y[rest]))
    before = selector.scores_.copy()
    with pytest.raises(NotUnlearnableError, match="one class"):
        selector.unlearn(np.flatnonzero(y == "blue"))
    assert_array_equal(selector.scores_, before)
    with pytest.raises(ValueError, match="one class"):
        SelectKBest(k=2).fit(X, np.ones(len(X)))


@pytest.mark.fast
def test_a_function_that_only_knows_rows_is_called_anew():
    def spread(X, y=None):
        return X.max(axis=0) - X.min(axis=0)

    X, y, _ = make_rows(f_classif, 1)
    selector = SelectPercentile(spread, percentile=50).fit(X).unlearn(range(100))
    assert_array_equal(selector.scores_, spread(X[100:]))
    assert selector.pvalues_ is None
    assert selector.unlearning_report_.guarantee.kind == "distributional"
    partial = SelectKBest(lambda X, y: f_classif(X, y), k=2).fit(X, y).unlearn([5])
    kept = np.delete(np.arange(240), 5)
    assert_array_equal(partial.scores_, f_classif(X[kept], y[kept])[0])


@pytest.mark.fast
@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (f_classif, "numerical"),
        (functools.partial(f_regression, center=False), "bitwise"),
        (r_regression, "bitwise"),
        (mutual_info_classif, "distributional"),
        (functools.partial(mutual_info_classif, n_neighbors=2), "distributional"),
        (functools.partial(mutual_info_classif, random_state=0), "bitwise"),
        (
            functools.partial(
                functools.partial(mutual_info_classif, random_state=0), random_state=None
            ),
            "distributional",
        ),
        (lambda X, y: X[0], "distributional"),
    ],
)
def test_bitwise_is_promised_only_of_functions_that_repeat_themselves(
    function, kind, global_random_seed
):
    X, y, _ = make_rows(f_classif, global_random_seed)
    y = np.unique(y, return_inverse=True)[1]
    selector = SelectKBest(function, k=2).fit(X, y)
    assert get_unlearning_tags(selector).kind == kind
    selector.unlearn([5, 6])
    assert selector.unlearning_report_.guarantee.kind == kind
    if kind == "bitwise":
        kept = np.delete(np.arange(240), [5, 6])
        again = SelectKBest(function, k=2).fit(X[kept], y[kept])
        assert_array_equal(selector.scores_, again.scores_)


def test_it_says_what_scikit_learn_says():
    X, y, _ = make_rows(f_classif, 1)
    with pytest.warns(UserWarning, match="k=10 is greater than n_features=7"):
        SelectKBest().fit(X, y)
    with pytest.warns(UserWarning, match=r"Features \[2\] are constant"):
        SelectKBest(k=2).fit(np.where(np.arange(7) == 2, 1.7, X), y)
    with pytest.raises(ValueError, match="non-negative"):
        SelectKBest(chi2, k=2).fit(X, y)
    with pytest.raises(ValueError, match=r"below 2\*\*40"):
        SelectKBest(chi2, k=2).fit(np.abs(X) * 1e15, y)
    with pytest.raises(ValueError, match=r"add up to 2\*\*-40"):
        SelectKBest(chi2, k=2).fit(np.abs(X) * 1e-15, y)
    small = np.abs(X) * np.where(np.arange(len(X)) < 1, 1.0, 1e-15)[:, None]
    with pytest.raises(NotUnlearnableError, match=r"add up to 2\*\*-40"):
        SelectKBest(chi2, k=2).fit(small, y, sample_ids=range(len(X))).unlearn(0)
    with pytest.raises(ValueError, match="Unknown label type"):
        SelectKBest(chi2, k=2).fit(np.abs(X), X[:, 0])
    with pytest.raises(ValueError, match="requires y to be passed"):
        SelectKBest(k=2).fit(X)


def test_outputs_stay_while_the_same_columns_are_selected():
    X, y, _ = make_rows(f_classif, 2)
    selector = SelectKBest(k=2).fit(X, y)
    for rows in (np.array([3]), np.arange(200)):
        after = selector._after(selector._unlearn(rows))
        same = np.array_equal(selector.get_support(), after.get_support())
        assert selector._keeps_outputs(after, rows) == same


def test_kernel_equals_its_python_function(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, gap, rows = rng.normal(size=(400, 3)), rng.normal(size=300), rng.permutation(400)[:300]
    mean = X.mean(axis=0)
    ours = cross_scatter(X, gap, mean, rows)
    assert_allclose(ours, cross_scatter.py_func(X, gap, mean, rows), rtol=1e-13)
    assert_allclose(ours, gap @ (X[rows] - mean), rtol=1e-12, atol=1e-12)


ZEROS = "as in scikit-learn, the score of a column of zeros is NaN, and the least of all"


@parametrize_with_unlearning_checks(
    [
        SelectKBest(f_regression, k=1),
        SelectKBest(chi2, k=1),
        GenericUnivariateSelect(mode="k_best", param=2),
    ],
    expected_failed_checks=lambda selector: (
        {"check_hostile_data_columns": ZEROS} if selector.score_func is chi2 else {}
    ),
)
def test_unlearning_contract_of_other_scores(estimator, check):
    check(estimator)
