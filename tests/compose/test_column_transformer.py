"""Column transformers and feature unions: refitting on the remaining rows is the oracle."""

import copy
import pickle
import threading

import numpy as np
import pytest
import sklearn.compose
import sklearn.pipeline
import sklearn.preprocessing
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer

from skunlearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from skunlearn.decomposition import PCA
from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError
from skunlearn.impute import SimpleImputer
from skunlearn.linear_model import LogisticRegression, Ridge
from skunlearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from skunlearn.preprocessing import OneHotEncoder, StandardScaler
from skunlearn.utils import get_unlearning_tags

REQUESTS = ([0], [1, 2, 3, 4], [100], list(range(200, 230)))


class SparseBits(TransformerMixin, BaseEstimator):
    """A stateless transformer with sparse outputs."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return sparse.csr_array(np.asarray(X) > 12.0).astype(float)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


COMPOSITIONS = {
    "scaled and kept": make_column_transformer(
        (StandardScaler(), [0, 1]), (make_pipeline(StandardScaler()), [2]), remainder="passthrough"
    ),
    "stateless and dropped": make_column_transformer(
        (StandardScaler(), [0, 1]), (FunctionTransformer(np.log1p), [2]), ("drop", [3])
    ),
    "others": make_column_transformer(
        (StandardScaler(), [0, 1]),
        (sklearn.preprocessing.MinMaxScaler(), [2, 3]),
        on_memory="refit",
    ),
    "rotated": make_column_transformer((StandardScaler(), [0]), (PCA(2), [1, 2, 3])),
    "weighed": ColumnTransformer(
        [("a", StandardScaler(), [0, 1]), ("b", StandardScaler(), [2]), ("c", PCA(1), [2, 3])],
        transformer_weights={"a": 2.0, "b": 0.0},
    ),
    "nested": make_column_transformer(
        (StandardScaler(), [0]),
        (make_column_transformer((StandardScaler(), [0]), remainder="passthrough"), [1, 2]),
    ),
    "union": make_union(StandardScaler(), "passthrough"),
    "union of nested": FeatureUnion(
        [("a", make_pipeline(StandardScaler(), PCA(2))), ("b", "drop"), ("c", StandardScaler())],
        transformer_weights={"a": 0.5},
    ),
    "sparse": make_column_transformer(
        (StandardScaler(), [0]), (SparseBits(), [1, 2, 3, 4, 5]), sparse_threshold=0.9
    ),
}

# Those that are tested with data frames in each run; all are in long ones.
FRAMED = ("others", "nested")


@pytest.fixture
def table(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(300, 6)) * [1.0, 2.0, 3.0, 1.0, 5.0, 6.0] + 30
    X[:5] += 100
    return X, X @ rng.normal(size=6) + rng.normal(size=300)


def close(ours, again, **tolerance):
    dense = [X.toarray() if sparse.issparse(X) else np.asarray(X) for X in (ours, again)]
    assert sparse.issparse(ours) == sparse.issparse(again)
    assert_allclose(*dense, **({"rtol": 1e-8, "atol": 1e-9} | tolerance))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(
            name, kind, marks=[] if kind == "array" or name in FRAMED else pytest.mark.long
        )
        for name in COMPOSITIONS
        for kind in ("array", "frame", "frame out")
        # Some parts have no frames as outputs, in scikit-learn either.
        if kind != "frame out" or name not in ("sparse", "stateless and dropped")
    ],
)
def test_the_law_alone_and_in_front_of_models(name, kind, table):
    X, y = table
    if kind != "array":
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame(X, columns=list("abcdef"), index=[f"p{i}" for i in range(len(X))])
    ids = np.array([f"p{i}" for i in range(len(X))])
    composition = clone(COMPOSITIONS[name])
    if kind == "frame out":
        composition.set_output(transform="pandas")
    labels = (y > np.median(y)).astype(int)
    for model, target in ((None, None), (Ridge(), y), (LogisticRegression(), labels)):
        if model is None:
            ours, method = clone(composition), "transform"
        else:
            ours = make_pipeline(clone(composition), model, on_memory="refit")
            method = "predict" if model.__class__ is Ridge else "decision_function"
        ours.fit(X, target, sample_ids=ids)
        for request in REQUESTS:
            plan = ours.explain_unlearn(ids[request])
            ours.unlearn(ids[request])
            report = ours.unlearning_report_
            assert [(s.name, s.way) for s in plan.steps] == [(s.name, s.way) for s in report.steps]
            kept = np.isin(ids, ours.sample_ids_)
            again = clone(ours).fit(
                X[kept], None if target is None else target[kept], sample_ids=ids[kept]
            )
            outputs, expected = getattr(ours, method)(X), getattr(again, method)(X)
            close(outputs, expected)
            if kind == "frame out" and model is None:
                assert list(outputs.columns) == list(expected.columns)
        row = X.iloc[[50]] if kind != "array" else X[[50]]
        assert ours.find_samples(row).tolist() == ["p50"]
        gone = X.iloc[[3]] if kind != "array" else X[[3]]
        assert ours.find_samples(gone).size == 0


@pytest.mark.fast
def test_equals_scikit_learn_and_hands_it_on(table):
    X, _ = table
    ours = make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough").fit(X)
    namesake = sklearn.compose.make_column_transformer(
        (sklearn.preprocessing.StandardScaler(), [0, 1]), remainder="passthrough"
    )
    assert_allclose(ours.transform(X), namesake.fit_transform(X), rtol=1e-12)
    assert_array_equal(ours.get_feature_names_out(), namesake.get_feature_names_out())
    ours.unlearn([0, 1, 2, 3, 4])
    predictor = ours.to_predictor()
    assert type(predictor) is sklearn.compose.ColumnTransformer
    assert type(predictor.named_transformers_["standardscaler"]) is type(
        namesake.transformers[0][1]
    )
    assert_array_equal(predictor.transform(X), ours.transform(X))
    assert len(pickle.dumps(predictor)) < 6000
    union = make_union(StandardScaler(), PCA(2)).fit(X)
    predictor = union.to_predictor()
    assert type(predictor) is sklearn.pipeline.FeatureUnion
    assert_array_equal(predictor.transform(X), union.transform(X))


@pytest.mark.fast
def test_linear_models_follow_scaled_columns_by_algebra(table):
    X, y = table
    for model in (Ridge(), LogisticRegression()):
        pipe = make_pipeline(clone(COMPOSITIONS["scaled and kept"]), model)
        pipe.fit(X, y if isinstance(model, Ridge) else y > np.median(y))
        pipe.unlearn([3]).unlearn([5, 6])
        assert pipe.unlearning_report_.steps[-1].way == "pushed through"


@pytest.mark.fast
def test_columns_that_keep_their_outputs_leave_the_model_alone(table):
    X, y = table
    frozen = FrozenEstimator(StandardScaler().fit(X[:, :2]))
    columns = make_column_transformer((frozen, [0, 1]), remainder="passthrough")
    pipe = make_pipeline(columns, Ridge()).fit(X, y).unlearn([3])
    assert [step.way for step in pipe.unlearning_report_.steps] == [
        "frozen",
        "frozen",
        "unchanged",
        "unlearned",
    ]


class Threshold(TransformerMixin, BaseEstimator):
    """Remembers the largest value of its column: cannot forget."""

    def fit(self, X, y=None):
        self.largest_ = np.asarray(X).max(axis=0)
        return self

    def transform(self, X):
        return np.asarray(X) / self.largest_


@pytest.mark.fast
def test_a_part_that_cannot_forget_is_named_and_nothing_changes(table):
    X, y = table
    columns = make_column_transformer((StandardScaler(), [0]), (Threshold(), [1]))
    pipe = make_pipeline(columns, Ridge()).fit(X, y)
    before = pickle.dumps(pipe)
    for doing in (pipe.unlearn, pipe.explain_unlearn):
        with pytest.raises(NotUnlearnableError, match=r"'threshold'.*FrozenEstimator.*refit"):
            doing(0)
        with pytest.raises(UnknownSampleError):
            doing([0, 1000])
        assert pickle.dumps(pipe) == before
    assert get_unlearning_tags(pipe).kind == "none"
    assert get_unlearning_tags(clone(COMPOSITIONS["others"])).kind == "distributional"


@pytest.mark.fast
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_explaining_changes_nothing_and_pickles_and_copies_go_on(name, table):
    X, y = table
    pipe = make_pipeline(clone(COMPOSITIONS[name]), Ridge(), on_memory="refit").fit(X, y)
    before = pickle.dumps(pipe)
    report = pipe.explain_unlearn([0, 7])
    assert (report.n_removed, report.n_remaining) == (2, 298)
    assert pickle.dumps(pipe) == before
    twin = copy.copy(pipe).unlearn([0])
    assert len(pipe.sample_ids_) == 300
    other = pickle.loads(before).unlearn([0])
    assert_allclose(twin.predict(X), pipe.unlearn([0]).predict(X), rtol=1e-12)
    assert_allclose(other.predict(X), pipe.predict(X), rtol=1e-12)
    assert_allclose(pipe.purge().unlearn(9).predict(X), twin.unlearn(9).predict(X), rtol=1e-8)


@pytest.mark.fast
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_nothing_of_a_removed_row_stays(name, table):
    X, y = table
    pipe = make_pipeline(clone(COMPOSITIONS[name]), Ridge(), on_memory="refit").fit(X, y)
    pipe.unlearn([7])
    state = pickle.dumps(pipe)
    for value in X[7]:
        assert value.tobytes() not in state


def test_density_decides_about_the_container_as_in_a_refit(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = np.full((40, 5), 20.0)
    X[:30, 1:] = 0.0
    X[:, 0] = rng.normal(size=40)
    columns = ColumnTransformer(
        [("scale", StandardScaler(), [0]), ("bits", SparseBits(), [1, 2, 3, 4])],
        sparse_threshold=0.5,
    ).fit(X)
    assert columns.sparse_output_
    pipe = make_pipeline(clone(columns), Ridge()).fit(X, X @ np.ones(5))
    gone: list[int] = []
    for row in range(28):
        gone.append(row)
        columns.unlearn([row])
        pipe.unlearn([row])
        kept = np.setdiff1d(np.arange(40), gone)
        again = clone(columns).fit(X[kept])
        assert columns.sparse_output_ == again.sparse_output_
        close(columns.transform(X), again.transform(X))
        expected = clone(pipe).fit(X[kept], X[kept] @ np.ones(5)).predict(X)
        assert_allclose(pipe.predict(X), expected, rtol=1e-8)
    assert not columns.sparse_output_


@pytest.mark.fast
def test_parts_may_forget_alone_and_the_whole_catches_up(table):
    X, y = table
    pipe = make_pipeline(clone(COMPOSITIONS["scaled and kept"]), Ridge()).fit(X, y)
    pipe[0]["standardscaler"].unlearn([7])
    pipe.unlearn([7, 8])
    kept = np.setdiff1d(np.arange(len(X)), [7, 8])
    again = clone(pipe).fit(X[kept], y[kept])
    assert_allclose(pipe.predict(X), again.predict(X), rtol=1e-9)


@pytest.mark.fast
def test_nothing_but_dropped_columns():
    X = np.arange(12.0).reshape(6, 2)
    columns = ColumnTransformer([("none", "drop", [0]), ("empty", StandardScaler(), [])])
    columns.fit(X).unlearn([0, 1])
    assert columns.transform(X).shape == (6, 0)
    assert_array_equal(columns.sample_ids_, [2, 3, 4, 5])


@pytest.mark.fast
def test_steps_that_learn_nothing_need_no_rows():
    X = np.empty((0, 2))
    for columns in (
        ColumnTransformer([("kept", "passthrough", [0, 1])]),
        FeatureUnion([("kept", "passthrough")]),
    ):
        theirs = sklearn.compose.ColumnTransformer([("kept", "passthrough", [0, 1])])
        assert_array_equal(columns.fit_transform(X), theirs.fit_transform(X))
        assert columns.sample_ids_.size == 0


@pytest.mark.fast
def test_frames_select_columns_by_name_and_dtype(table):
    pd = pytest.importorskip("pandas")
    X, _ = table
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["city"] = pd.Series(["Rome", "Oslo"] * 150, dtype="category")
    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (sklearn.preprocessing.OneHotEncoder(), ["city"]),
        on_memory="refit",
    )
    columns.fit(frame).unlearn([0, 1])
    again = clone(columns).fit(frame.iloc[2:])
    close(columns.transform(frame), again.transform(frame))
    assert_array_equal(columns.get_feature_names_out(), again.get_feature_names_out())


@pytest.mark.fast
def test_columns_that_vanish_upstream_are_selected_anew(table):
    X, y = table
    X = X.round()

    def build():
        encode = sklearn.preprocessing.OneHotEncoder(sparse_output=False, handle_unknown="ignore")
        first = ColumnTransformer([("encode", encode, [0]), ("keep", "passthrough", [1, 2])])
        first.set_params(on_memory="refit")
        second = ColumnTransformer([("scale", StandardScaler(), [0])], remainder="passthrough")
        return Pipeline([("first", first), ("second", second), ("fit", Ridge())])

    pipe = build().fit(X, y)
    width = pipe[0].transform(X).shape[1]
    pipe.unlearn([0, 1, 2, 3, 4])
    assert pipe[0].transform(X).shape[1] < width
    again = build().fit(X[5:], y[5:])
    assert pipe[1].n_features_in_ == again[1].n_features_in_
    assert_allclose(pipe.predict(X), again.predict(X), rtol=1e-8)
    pipe.unlearn([9])
    kept = np.setdiff1d(np.arange(5, 300), [9])
    assert_allclose(pipe.predict(X), build().fit(X[kept], y[kept]).predict(X), rtol=1e-8)


def test_concurrent_outputs_are_all_old_or_all_new(table):
    X, _ = table
    columns = clone(COMPOSITIONS["scaled and kept"]).fit(X)
    twin = pickle.loads(pickle.dumps(columns))
    versions = [columns.transform(X)]
    versions += [twin.unlearn([row]).transform(X) for row in range(60)]
    known = {version.tobytes() for version in versions}
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            seen.append(columns.transform(X).tobytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for row in range(60):
        columns.unlearn([row])
    done.set()
    watcher.join()
    assert set(seen) <= known


@pytest.mark.fast
def test_processes_and_default_ids_of_frames(table):
    pd = pytest.importorskip("pandas")
    X, _ = table
    frame = pd.DataFrame(X, columns=list("abcdef"), index=[f"p{i}" for i in range(len(X))])
    columns = make_column_transformer((StandardScaler(), ["a"]), remainder="passthrough", n_jobs=2)
    columns.fit(frame).unlearn("p3")
    assert "p3" not in columns.sample_ids_
    assert_array_equal(columns["standardscaler"].sample_ids_, columns.sample_ids_)


def mixed_table(n=80):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    age = rng.normal(40, 10, n)
    income = np.where(np.arange(n) < 3, 7.0, np.nan)
    city = np.array(["Rome", "Oslo"], dtype=object)[np.arange(n) % 2]
    city[:2] = "Atlantis"
    frame = pd.DataFrame({"age": age, "income": income, "city": city})
    frame.index = [f"p{i}" for i in range(n)]
    return frame, (np.arange(n) < 2).astype(int)


def mixed_pipeline(model, **encoding):
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [("numbers", numbers, ["age", "income"]), ("city", OneHotEncoder(**encoding), ["city"])]
    )
    return Pipeline([("columns", columns), ("model", model)])


@pytest.mark.fast
@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_a_category_and_a_column_vanish_and_all_that_follows_follows():
    frame, _ = mixed_table()
    y = np.arange(len(frame)) % 3 == 0
    pipe = mixed_pipeline(LogisticRegression(), handle_unknown="ignore").fit(frame, y)
    assert pipe[0].transform(frame).shape[1] == 5
    for request, width in (("p0", 5), (["p1"], 4), (["p2", "p5"], 3)):
        pipe.unlearn(request)
        kept = frame.index.isin(pipe.sample_ids_)
        again = clone(pipe).fit(frame[kept], y[kept])
        assert pipe[0].transform(frame).shape[1] == width
        assert pipe[-1].n_features_in_ == width
        assert_array_equal(pipe[0].get_feature_names_out(), again[0].get_feature_names_out())
        close(pipe.decision_function(frame), again.decision_function(frame))
        expected = {name: span.stop for name, span in again[0].output_indices_.items()}
        assert {name: span.stop for name, span in pipe[0].output_indices_.items()} == expected
        assert [step.way for step in pipe.unlearning_report_.steps][-1] == (
            "pushed through" if width == 5 else "refitted"
        )


@pytest.mark.fast
def test_bad_requests_and_bad_rows_name_the_step_and_lose_nothing():
    frame, y = mixed_table()
    pipe = mixed_pipeline(LogisticRegression()).fit(frame, y)
    before = pickle.dumps(pipe)
    with pytest.raises(NotUnlearnableError, match=r"Step 'model' \(LogisticRegression\).*class"):
        pipe.unlearn(["p0", "p1"])
    with pytest.raises(UnknownSampleError, match="nobody"):
        pipe.unlearn(["p5", "nobody"])
    with pytest.raises(NotUnlearnableError, match="all 80"):
        pipe.unlearn(frame.index)
    strange = frame.assign(city="Lima")
    with pytest.raises(ValueError, match="Lima"):
        pipe.predict(strange)
    assert pickle.dumps(pipe) == before
    drops = mixed_pipeline(Ridge(), drop=["Atlantis"]).fit(frame, y)
    before = pickle.dumps(drops)
    with pytest.raises(NotUnlearnableError, match=r"(?s)Step 'city' \(OneHotEncoder\).*Atlantis"):
        drops.unlearn(["p0", "p1"])
    assert pickle.dumps(drops) == before
