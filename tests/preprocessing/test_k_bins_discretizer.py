import inspect
import warnings

import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.preprocessing import KBinsDiscretizer
from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks

NAMESAKES = sklearn.preprocessing.KBinsDiscretizer
HAS_METHOD = "quantile_method" in inspect.signature(NAMESAKES).parameters

pytestmark = pytest.mark.filterwarnings(
    "ignore:Feature .* is constant", "ignore:Bins whose width", "ignore:Number of distinct clusters"
)


def assert_same(ours, namesake):
    assert_array_equal(ours.n_bins_, namesake.n_bins_)
    for left, right in zip(ours.bin_edges_, namesake.bin_edges_, strict=True):
        assert_array_equal(left, right)
        assert left.dtype == right.dtype


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.sampled_from([2, 10, 60]))
    dtype = data.draw(st.sampled_from([np.float64, np.float32, np.int64]))
    X = (10 * rng.normal(size=(n, 3))).astype(dtype)
    X[:, 1] = rng.integers(0, 3, n)
    parameters = {
        "n_bins": data.draw(st.sampled_from([2, 5, [2, 3, 7]])),
        "strategy": data.draw(st.sampled_from(["uniform", "quantile"])),
        "encode": data.draw(st.sampled_from(["onehot", "onehot-dense", "ordinal"])),
    }
    if HAS_METHOD:
        methods = ["linear", "averaged_inverted_cdf", "closest_observation", "hazen"]
        parameters["quantile_method"] = data.draw(st.sampled_from(methods))
    ids = rng.integers(0, max(2, n // 2), n)
    ours = KBinsDiscretizer(**parameters).fit(X, sample_ids=ids)
    namesake = NAMESAKES(**parameters)
    assert_same(ours, namesake.fit(X))
    order = data.draw(st.permutations(sorted(set((ids[ids != ids[0]]).tolist()))))
    for part in (order[:1], order[1:2], order[2:6], order[6:]):
        before = ours.transform(X)
        slots = ours._samples.resolve(part)[1]
        keeps = ours._keeps_outputs(ours._after(ours._unlearn(slots)), slots)
        ours.unlearn(part)
        left = np.isin(ids, ours.sample_ids_)
        assert_same(ours, namesake.fit(X[left]))
        outputs = ours.transform(X)
        assert not (outputs != namesake.transform(X)).sum()
        same = outputs.shape == before.shape and not (outputs[left] != before[left]).sum()
        assert keeps is bool(same)


@pytest.mark.parametrize("subsample", [None, 40])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
@pytest.mark.parametrize("weighted", [False, True])
def test_law_with_a_subsample_and_weights(subsample, strategy, weighted, global_random_seed):
    # There our class refuses weights as well, so that there is no law to test.
    if weighted and strategy == "uniform" and not HAS_METHOD:
        pytest.skip("this scikit-learn does not weigh rows for bins of equal width")
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(90, 2))
    weight = rng.integers(0, 3, 90).astype(float) if weighted else None
    ids = rng.permutation(1000)[:90]
    model = KBinsDiscretizer(4, strategy=strategy, subsample=subsample, random_state=1)

    def part_of(kept):
        return None if weight is None else weight[kept]

    ours = model.fit(X, sample_weight=weight, sample_ids=ids)
    for part in np.array_split(rng.permutation(ids)[:70], 7):
        ours.unlearn(part)
        kept = np.isin(ids, ours.sample_ids_)
        again = sklearn.base.clone(model).fit(X[kept], None, part_of(kept), sample_ids=ids[kept])
        assert_same(ours, again)
        if subsample is None:
            assert_same(ours, NAMESAKES(4, strategy=strategy).fit(X[kept], None, part_of(kept)))


@pytest.mark.fast
def test_what_k_means_refuses_is_refused():
    ours = KBinsDiscretizer(3, strategy="kmeans").fit([[0.0], [1.0], [3.0], [9.0]])
    with pytest.raises(NotUnlearnableError, match="n_clusters"):
        ours.unlearn([0, 1])
    assert ours.sample_ids_.size == 4


@pytest.mark.fast
def test_names_predictor_and_way_back_equal_scikit_learn(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(60, 2))
    for encode in ("onehot-dense", "ordinal"):
        ours = KBinsDiscretizer(3, encode=encode).fit(X).unlearn([1, 2])
        namesake = NAMESAKES(3, encode=encode)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            namesake.fit(X[ours.sample_ids_])
        codes = namesake.transform(X)
        for mine in (ours, ours.to_predictor()):
            assert_array_equal(mine.transform(X), codes)
            assert_array_equal(mine.inverse_transform(codes), namesake.inverse_transform(codes))
            assert_array_equal(mine.get_feature_names_out(), namesake.get_feature_names_out())


@pytest.mark.fast
@pytest.mark.parametrize("n_bins", [[2, 1], [2.5, 3], [2, 3, 4]])
def test_bad_numbers_of_bins_are_refused(n_bins):
    for strategy in ("quantile", "uniform"):
        with pytest.raises(ValueError, match=r"n_bins|number of bins"):
            KBinsDiscretizer(n_bins, strategy=strategy).fit(np.eye(2))


# Earlier releases do not weigh rows for bins of equal width, as the checks do.
STRATEGIES = ("uniform", "kmeans") if HAS_METHOD else ("kmeans",)


@parametrize_with_unlearning_checks([KBinsDiscretizer(2, strategy=s) for s in STRATEGIES])
def test_unlearning_contract(estimator, check):
    check(estimator)


# As files of other machines, instruments and image libraries hold them.
DTYPES = [*"bhilBHIL", ">i2", ">u4", ">i8", ">f4", ">f8", "e", "g"]


@pytest.mark.parametrize(
    ("dtype", "strategy"),
    [
        *[(dtype, strategy) for dtype in DTYPES for strategy in ("uniform", "quantile", "kmeans")],
        ("?", "uniform"),
        ("?", "kmeans"),
    ],
)
def test_any_numbers(dtype, strategy, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    dtype = np.dtype(dtype)
    X = rng.integers(0, 2 if dtype.kind == "b" else 100, size=(40, 3)).astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        X[:5, 0] = limits.min, limits.max, limits.max, 101, 102
    ids = rng.permutation(40)
    ours = KBinsDiscretizer(3, strategy=strategy, encode="ordinal").fit(X, sample_ids=ids)
    namesake = NAMESAKES(3, strategy=strategy, encode="ordinal", random_state=0)
    for gone in ([1], [2, 4], [0], [3, 10, 11]):
        ours.unlearn(ids[gone])
        kept = X[np.isin(ids, ours.sample_ids_)]
        namesake.fit(kept.astype(dtype.newbyteorder("=")))
        assert_same(ours, namesake)
        assert_array_equal(ours.transform(kept), namesake.transform(kept))


def test_quantiles_of_booleans_are_refused():
    X = np.array([[True], [False], [True]])
    for cls in (NAMESAKES, KBinsDiscretizer):
        with pytest.raises(TypeError, match="boolean subtract"):
            cls(2).fit(X)
