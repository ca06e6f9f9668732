import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skunlearn._kernels import power_transform
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.preprocessing import PowerTransformer


def make_table(seed, box_cox, n=300):
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [
            rng.lognormal(size=n),
            rng.gamma(2.0, size=n) - (0.0 if box_cox else 1.0),
            rng.normal(size=n) + (9.0 if box_cox else 0.0),
            -rng.lognormal(size=n),
            rng.exponential(50.0, size=n),
            rng.normal(size=n) ** 3,
        ]
    )
    return (X[:, [0, 1, 2, 4]] if box_cox else X), rng


@pytest.mark.fast
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("missing", [True, False])
def test_fit_and_requests_equal_scikit_learn(method, standardize, missing, global_random_seed):
    X, rng = make_table(global_random_seed, method == "box-cox")
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    ours = PowerTransformer(method, standardize=standardize).fit(X)
    namesake = sklearn.preprocessing.PowerTransformer(method=method, standardize=standardize)
    kept = np.arange(300)
    for part in (None, *np.array_split(rng.permutation(300)[:200], 4)):
        if part is not None:
            kept = ours.unlearn(part).sample_ids_
        namesake.fit(X[kept])
        # Brent's method stops where the likelihood is flat to rounding.
        assert_allclose(ours.lambdas_, namesake.lambdas_, rtol=1e-5, atol=1e-6)
        assert_allclose(ours.transform(X), namesake.transform(X), rtol=1e-4, atol=1e-5)
        again = PowerTransformer(method, standardize=standardize).fit(X[kept])
        assert_array_equal(ours.lambdas_, again.lambdas_)
        assert_array_equal(ours.transform(X), again.transform(X))
        for j, lam in enumerate(ours.lambdas_):
            _assert_optimal(X[kept, j], lam, method)
    back = ours.inverse_transform(ours.transform(X))
    assert_allclose(back, X, rtol=1e-6, atol=1e-9)
    assert_allclose(ours.to_predictor().transform(X), ours.transform(X), rtol=1e-9, atol=1e-11)


def _assert_optimal(x, lam, method):
    """Check that no exponent nearby is more likely than rounding can make it."""
    x = x[~np.isnan(x)]
    llf = stats.boxcox_llf if method == "box-cox" else stats.yeojohnson_llf
    best = llf(lam, x)
    assert all(llf(lam + h, x) <= best + 1e-11 * abs(best) for h in (-1e-3, -1e-5, 1e-5, 1e-3))


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    n, d = data.draw(st.integers(4, 30)), data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-1, 3, size=(n, 1))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:2] = rng.normal(size=(2, d))
    X[rng.random((n, d)) < 0.2] = 1.5
    ids = rng.integers(0, max(2, n // 2), n)
    transformer = PowerTransformer().fit(X, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        kept = np.isin(ids, transformer.sample_ids_) & (ids != i)
        try:
            again = PowerTransformer().fit(X[kept], sample_ids=ids[kept])
        except ValueError:
            with pytest.raises(NotUnlearnableError, match="all nan"):
                transformer.unlearn(i)
            continue
        transformer.unlearn([i, i])
        for name in ("lambdas_", "mean_", "scale_"):
            assert_array_equal(getattr(transformer, name), getattr(again, name))


@pytest.mark.fast
def test_constant_columns_keep_their_values_or_are_refused():
    X = np.array([[1.7, 1.0], [1.7, 2.0], [1.7, 4.0], [3.0, 3.0]])
    transformer = PowerTransformer(standardize=False).fit(X).unlearn(3)
    assert transformer.lambdas_[0] == 1.0
    assert_allclose(transformer.transform(X[:3])[:, 0], 1.7)
    box_cox = PowerTransformer("box-cox").fit(X)
    before = box_cox.lambdas_.copy()
    with pytest.raises(NotUnlearnableError, match="must not be constant"):
        box_cox.unlearn(3)
    assert_array_equal(box_cox.lambdas_, before)
    with pytest.raises(ValueError, match="strictly positive"):
        PowerTransformer("box-cox").fit(X - 1.0)


@pytest.mark.fast
def test_extremes_stay_finite():
    x = np.array([[2003.0], [1950.0], [1997.0], [2000.0], [2009.0], [2009.0], [1980.0], [1999.0]])
    for scale in (1.0, 1e10, 1e100):
        transformer = PowerTransformer().fit(np.vstack([x, [[3000.0]]]) * scale).unlearn(8)
        assert np.isfinite(transformer.transform(x * scale)).all()


def test_float32_stays_float32(global_random_seed):
    X, _ = make_table(global_random_seed, False)
    transformer = PowerTransformer().fit(X.astype(np.float32)).unlearn([3, 4])
    assert transformer.lambdas_.dtype == transformer.transform(X.astype(np.float32)).dtype
    wide = PowerTransformer().fit(np.delete(X, [3, 4], axis=0))
    assert_allclose(transformer.lambdas_, wide.lambdas_, rtol=1e-4, atol=1e-5)


def test_kernels_equal_their_python_functions(global_random_seed):
    X, _ = make_table(global_random_seed, False, 40)
    lambdas = np.array([0.3, 1.0, 2.0, 0.0, -0.7, 1.4])
    ours, python = X.copy(), X.copy()
    power_transform.transform_in_place(ours, lambdas, False)
    power_transform.transform_in_place.py_func(python, lambdas, False)
    assert_allclose(ours, python, rtol=1e-13)
    u, negative = np.log1p(np.abs(X[:, 5])), X[:, 5] < 0
    for lam in (-1.0, 0.0, 0.01, 1.0, 2.5):
        found = power_transform.likelihood(u, negative, lam)
        assert_allclose(found, power_transform.likelihood.py_func(u, negative, lam), rtol=1e-10)
        steps = [power_transform.likelihood(u, negative, lam + h) for h in (-1e-5, 1e-5)]
        assert_allclose(found[1], (steps[1][0] - steps[0][0]) / 2e-5, rtol=1e-5, atol=1e-8)
        assert_allclose(found[2], (steps[1][1] - steps[0][1]) / 2e-5, rtol=1e-5, atol=1e-8)
