"""Naive Bayes on counts: the law bit for bit, for any floats."""

import numpy as np
import pytest
import sklearn.naive_bayes
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfTransformer

from skunlearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB

MODELS = [MultinomialNB, BernoulliNB, ComplementNB]
every = pytest.mark.parametrize("Model", MODELS)


def assert_bitwise(model, again):
    for name, value in vars(again).items():
        mine = getattr(model, name)
        if name in ("_totals", "_counts") or (name.endswith("_") and isinstance(value, np.ndarray)):
            assert mine.dtype == value.dtype
            assert mine.shape == value.shape
            assert mine.tobytes() == value.tobytes(), name


def documents(seed, n_samples=80, n_features=30):
    rng = np.random.default_rng(seed)
    counts = sparse.csr_array(rng.poisson(0.3, (n_samples, n_features)))
    return TfidfTransformer().fit_transform(counts), rng.integers(0, 4, n_samples), rng


@pytest.mark.fast
@every
@given(data=st.data())
def test_law(Model, data):
    n_samples = data.draw(st.integers(2, 25))
    n_features = data.draw(st.integers(1, 4))
    X = data.draw(arrays(np.float64, (n_samples, n_features), elements=st.floats(0, 2.0**20)))
    y = data.draw(arrays(np.int64, n_samples, elements=st.integers(0, 3)))
    ids = data.draw(arrays(np.int64, n_samples, elements=st.integers(0, 12)))
    weight = data.draw(
        st.none() | arrays(np.float64, n_samples, elements=st.floats(1e-30, 2.0**19))
    )
    order = data.draw(st.permutations(np.unique(ids).tolist()))
    requests, stop = [], data.draw(st.integers(1, len(order))) - 1
    while stop:
        size = data.draw(st.integers(1, stop))
        requests.append(order[:size])
        order, stop = order[size:], stop - size
    rows = sparse.csr_array(X) if data.draw(st.booleans()) else X
    model = Model(alpha=data.draw(st.sampled_from([1.0, 0.1]))).fit(rows, y, weight, sample_ids=ids)
    for request in requests:
        model.unlearn(request)
    kept = ~np.isin(ids, [i for request in requests for i in request])
    again = Model(alpha=model.alpha).fit(
        rows[kept], y[kept], None if weight is None else weight[kept], sample_ids=ids[kept]
    )
    assert_bitwise(model, again)


@every
def test_text_one_by_one_in_batches_and_all_at_once(Model, global_random_seed):
    X, y, rng = documents(global_random_seed)
    weight = rng.exponential(size=len(y))
    rows = rng.choice(len(y), size=50, replace=False)
    kept = np.setdiff1d(np.arange(len(y)), rows)
    again = Model().fit(X[kept], y[kept], weight[kept])
    for split in (1, 7, 50):
        model = Model().fit(X, y, weight)
        for part in np.array_split(rng.permutation(rows), split):
            model.unlearn(part)
        assert_bitwise(model, again)
        np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


@every
def test_dense_and_sparse_are_one_model(Model, global_random_seed):
    X, y, _ = documents(global_random_seed)
    dense, csr = Model().fit(X.toarray(), y), Model().fit(X, y)
    assert_bitwise(dense, csr)
    np.testing.assert_allclose(dense.predict_proba(X), csr.predict_proba(X.toarray()), rtol=1e-12)


@pytest.mark.fast
@every
def test_explicit_zeros_and_entries_stored_twice(Model):
    data = np.array([0.5, 0.75, 0.0, 2.0, 1.0, 0.25])
    indices, indptr = np.array([1, 1, 0, 0, 2, 1]), np.array([0, 3, 4, 6])
    X = sparse.csr_array((data, indices, indptr), shape=(3, 3))
    before = [part.copy() for part in (X.data, X.indices, X.indptr)]
    y = [0, 1, 1]
    parameters = {"binarize": 1.0} if Model is BernoulliNB else {}
    model, dense = Model(**parameters).fit(X, y), Model(**parameters).fit(X.toarray(), y)
    assert_bitwise(model, dense)
    np.testing.assert_allclose(model.predict_proba(X), dense.predict_proba(X.toarray()))
    np.testing.assert_array_equal(model.find_samples(X), [0, 1, 2])
    assert_bitwise(model.unlearn(0), dense.unlearn(0))
    for part, copy in zip((X.data, X.indices, X.indptr), before, strict=True):
        np.testing.assert_array_equal(part, copy)


@pytest.mark.fast
@every
def test_whole_counts_equal_scikit_learns_exactly(Model):
    X, y = load_digits(return_X_y=True)
    ours, namesake = Model().fit(X, y), getattr(sklearn.naive_bayes, Model.__name__)().fit(X, y)
    np.testing.assert_array_equal(ours.feature_count_, namesake.feature_count_)
    np.testing.assert_array_equal(ours.class_count_, namesake.class_count_)
    np.testing.assert_allclose(ours.feature_log_prob_, namesake.feature_log_prob_, rtol=1e-12)


@every
@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": 0.3, "fit_prior": False},
        {"alpha": 1e-12, "force_alpha": True},
        {"alpha": np.array(2)[()]},
        {"class_prior": (0.1, 0.2, 0.3, 0.4)},
    ],
)
def test_parameters_mean_what_they_mean_in_scikit_learn(Model, parameters):
    X, y, _ = documents(3)
    ours = Model(**parameters).fit(X, y)
    namesake = getattr(sklearn.naive_bayes, Model.__name__)(**parameters).fit(X, y)
    for name in ("feature_log_prob_", "class_log_prior_", "feature_count_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(namesake, name), rtol=1e-12)


@pytest.mark.fast
@every
def test_alpha_per_feature(Model):
    X, y, _ = documents(3)
    alpha = np.linspace(0.5, 2.0, X.shape[1])
    model = Model(alpha=alpha).fit(X, y)
    smoothed = model.feature_count_ + alpha
    if Model is not BernoulliNB:
        namesake = getattr(sklearn.naive_bayes, Model.__name__)(alpha=alpha).fit(X, y)
        np.testing.assert_allclose(model.feature_log_prob_, namesake.feature_log_prob_, rtol=1e-12)
    else:
        expected = np.log(smoothed / (model.class_count_[:, None] + 2 * alpha))
        np.testing.assert_allclose(model.feature_log_prob_, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="one value per feature"):
        Model(alpha=alpha[:-1]).fit(X, y)
    with pytest.raises(ValueError, match="at least 0"):
        Model(alpha=-alpha).fit(X, y)


@every
def test_small_alpha_warns_once_at_fit(Model):
    X, y, _ = documents(3)
    with pytest.warns(UserWarning, match="alpha too small"):
        model = Model(alpha=0.0, force_alpha=False).fit(X, y)
    namesake = getattr(sklearn.naive_bayes, Model.__name__)(alpha=0.0, force_alpha=False)
    with pytest.warns(UserWarning, match="alpha too small"):
        namesake.fit(X, y)
    np.testing.assert_allclose(model.feature_log_prob_, namesake.feature_log_prob_, rtol=1e-12)
    model.unlearn(1)


@pytest.mark.fast
@pytest.mark.parametrize("Model", [MultinomialNB, ComplementNB])
def test_negative_entries_get_scikit_learns_words(Model):
    X = [[1.0, -1.0], [0.0, 1.0]]
    with pytest.raises(ValueError, match="Negative values in data passed to") as namesake:
        getattr(sklearn.naive_bayes, Model.__name__)().fit(X, [0, 1])
    for rows in (X, sparse.csr_array(X)):
        with pytest.raises(ValueError, match="Negative values") as ours:
            Model().fit(rows, [0, 1])
        assert str(ours.value) == str(namesake.value)
    assert BernoulliNB().fit(X, [0, 1]).feature_count_.tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("model", "X", "weight"),
    [
        (MultinomialNB(), [[2.0**40], [1.0]], None),
        (MultinomialNB(), [[2.0**30], [1.0]], [2.0**10, 1.0]),
        (MultinomialNB(), [[1e300], [1.0]], [1e300, 1.0]),
        (BernoulliNB(binarize=None), [[2.0**40], [1.0]], None),
        (BernoulliNB(), [[1.0], [1.0]], [2.0**40, 1.0]),
    ],
)
def test_what_cannot_be_counted_exactly_is_refused(model, X, weight):
    for rows in (X, sparse.csr_array(X)):
        with (
            np.errstate(over="ignore"),
            pytest.raises(ValueError, match=r"below 2\*\*40 .* Rescale X or sample_weight"),
        ):
            model.fit(rows, [0, 1], weight)
    assert not hasattr(model, "sample_ids_")


@pytest.mark.fast
@pytest.mark.parametrize("threshold", [0.0, 0.1, 1, 3.0, 300, np.float64(0.1), None])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?"])
def test_binarize(threshold, dtype):
    rng = np.random.default_rng(0)
    X = rng.choice(np.array([0.0, 0.1, 0.25, 1.0, 3.0]), (40, 5)).astype(dtype)
    if threshold is None:
        X = (X > 0).astype(dtype)
    y = rng.integers(0, 2, 40)
    ours = BernoulliNB(binarize=threshold).fit(X, y)
    namesake = sklearn.naive_bayes.BernoulliNB(binarize=threshold).fit(X, y)
    np.testing.assert_array_equal(ours.feature_count_, namesake.feature_count_)
    for query in (X, sparse.csr_array(X)):
        np.testing.assert_allclose(
            ours.predict_joint_log_proba(query), namesake.predict_joint_log_proba(query), rtol=1e-12
        )
    ours.set_params(binarize=0.2).unlearn([0, 1])
    again = BernoulliNB(binarize=threshold).fit(X[2:], y[2:])
    np.testing.assert_array_equal(ours.feature_count_, again.feature_count_)


@every
def test_negative_weights_add_up_exactly_too(Model):
    X, y, rng = documents(5)
    weight = rng.normal(loc=2.0, size=len(y))
    model = Model(alpha=100.0).fit(X, y, weight).unlearn(range(20))
    assert_bitwise(model, Model(alpha=100.0).fit(X[20:], y[20:], weight[20:]))


@pytest.mark.fast
def test_complement_with_norm_and_with_one_class(global_random_seed):
    X, y, _ = documents(global_random_seed)
    for labels in (y, np.zeros(len(y), dtype=int)):
        for norm in (False, True):
            ours = ComplementNB(norm=norm).fit(X, labels).unlearn(range(20))
            namesake = sklearn.naive_bayes.ComplementNB(norm=norm).fit(X[20:], labels[20:])
            for name in ("feature_log_prob_", "feature_all_", "class_log_prior_"):
                np.testing.assert_allclose(getattr(ours, name), getattr(namesake, name), rtol=1e-12)
            np.testing.assert_allclose(
                ours.predict_joint_log_proba(X), namesake.predict_joint_log_proba(X), rtol=1e-12
            )
