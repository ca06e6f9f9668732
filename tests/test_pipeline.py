import pickle
import threading

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError
from skunlearn.linear_model import LinearRegression, Ridge
from skunlearn.pipeline import Pipeline, make_pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils import get_unlearning_tags


@pytest.fixture
def table(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(300, 6)) * 10.0 ** rng.integers(-2, 3, 6) + 20
    X[:15] += 300
    return X, X @ rng.normal(size=6) + rng.normal(size=300)


def ways(pipe):
    return [step.way for step in pipe.unlearning_report_.steps]


@pytest.mark.fast
@pytest.mark.parametrize("head", [Ridge(alpha=3.0), LinearRegression()], ids=["ridge", "ols"])
@pytest.mark.parametrize("weighted", [False, True])
def test_push_through_equals_a_refitted_scikit_learn_pipeline(table, head, weighted):
    X, y = table
    weight = np.linspace(0.5, 2.0, len(X)) if weighted else None
    name = type(head).__name__.lower()
    params = {f"{name}__sample_weight": weight} if weighted else {}
    pipe = make_pipeline(StandardScaler(), head).fit(X, y, **params)
    for request in ([0], np.arange(1, 15), [200, 100], [299]):
        pipe.unlearn(request)
        assert ways(pipe) == ["unlearned", "pushed through"]
        kept = pipe.sample_ids_
        namesake = sklearn.pipeline.make_pipeline(
            sklearn.preprocessing.StandardScaler(), sklearn.base.clone(pipe[-1].to_predictor())
        )
        namesake.fit(X[kept], y[kept], **({k: v[kept] for k, v in params.items()}))
        assert_allclose(pipe[-1].coef_, namesake[-1].coef_, rtol=1e-7)
        assert_allclose(pipe[-1].intercept_, namesake[-1].intercept_, rtol=1e-9)
        assert_allclose(pipe.predict(X), namesake.predict(X), rtol=1e-8)
    assert pipe.unlearning_report_.guarantee.kind == "numerical"
    assert pipe.unlearning_report_.n_refitted == 0


@pytest.mark.fast
def test_forgetting_in_the_last_step_only_is_not_enough(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    pipe[-1].unlearn(np.arange(15))
    half = pipe.predict(X)
    pipe.unlearn(299)
    pipe2 = make_pipeline(StandardScaler(), Ridge()).fit(X, y).unlearn(np.arange(15))
    assert np.abs(half - pipe2.predict(X)).max() > 1e-4


@pytest.mark.fast
def test_push_through_holds_raw_rows_only(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    old_scaled = pipe[0].transform(X)
    scaled_store = pipe[-1]._samples
    pipe.unlearn(np.arange(15))
    assert not scaled_store.X.any()
    state = pickle.dumps(pipe)
    assert old_scaled[100].tobytes() not in state
    assert X[100].tobytes() in state
    assert X[3].tobytes() not in state
    assert_array_equal(pipe[-1].find_samples(pipe[0].transform(X[[100]])), [100])


@pytest.mark.fast
def test_general_way_refits_what_follows_a_changed_step(table):
    X, y = table
    pipe = make_pipeline(
        StandardScaler(), FunctionTransformer(np.tanh), StandardScaler(), Ridge()
    ).fit(X, y)
    pipe.unlearn([1, 250])
    assert ways(pipe) == ["unlearned", "unchanged", "refitted", "refitted"]
    kept = pipe.sample_ids_
    again = make_pipeline(
        StandardScaler(), FunctionTransformer(np.tanh), StandardScaler(), Ridge()
    ).fit(X[kept], y[kept])
    assert_allclose(pipe.predict(X), again.predict(X), rtol=1e-9)
    pipe.unlearn([7])
    assert_array_equal(pipe[-1].sample_ids_, pipe.sample_ids_)
    assert_array_equal(pipe.sample_ids_, np.setdiff1d(kept, [7]))


def test_steps_of_pandas_pipelines_see_their_column_names(table):
    pd = pytest.importorskip("pandas")
    X, y = table
    frame = pd.DataFrame(X, columns=list("abcdef"), index=[f"p{i}" for i in range(len(X))])
    pipe = make_pipeline(StandardScaler(), StandardScaler(), Ridge()).set_output(transform="pandas")
    pipe.fit(frame, y).unlearn(["p3", "p5"])
    kept = frame.drop(["p3", "p5"])
    again = make_pipeline(StandardScaler(), StandardScaler(), Ridge()).set_output(
        transform="pandas"
    )
    again.fit(kept, np.delete(y, [3, 5]))
    assert_allclose(pipe.predict(frame), again.predict(frame), rtol=1e-9)
    assert pipe.sample_ids_.tolist() == kept.index.tolist()
    assert_array_equal(pipe[-1].feature_names_in_, list("abcdef"))


@pytest.mark.fast
def test_nested_pipelines(table):
    X, y = table

    def build():
        inner = make_pipeline(StandardScaler(), StandardScaler())
        return make_pipeline(inner, make_pipeline(StandardScaler(), Ridge()))

    pipe = build().fit(X, y).unlearn([2, 3]).unlearn([100])
    again = build().fit(np.delete(X, [2, 3, 100], 0), np.delete(y, [2, 3, 100]))
    assert_allclose(pipe.predict(X), again.predict(X), rtol=1e-9)
    assert_array_equal(pipe.find_samples(X[[2, 50]]), [50])
    assert X[2].tobytes() not in pickle.dumps(pipe)


@pytest.mark.fast
def test_frozen_steps_pass_and_are_never_changed(table):
    X, y = table
    scaler = sklearn.preprocessing.StandardScaler().fit(X)
    before = pickle.dumps(scaler)
    pipe = Pipeline([("scale", FrozenEstimator(scaler)), ("skip", "passthrough"), ("fit", Ridge())])
    pipe.fit(X, y).unlearn([0])
    assert ways(pipe) == ["frozen", "unchanged", "unlearned"]
    assert pickle.dumps(scaler) == before
    exact = sklearn.linear_model.Ridge().fit(scaler.transform(X[1:]), y[1:])
    assert_allclose(pipe.predict(X), exact.predict(scaler.transform(X)), rtol=1e-9)


@pytest.mark.fast
def test_a_step_that_cannot_forget_is_named_with_its_remedies(table):
    X, y = table
    pipe = make_pipeline(sklearn.preprocessing.StandardScaler(), Ridge()).fit(X, y)
    before = pickle.dumps(pipe)
    with pytest.raises(NotUnlearnableError, match=r"'standardscaler'.*FrozenEstimator.*refit"):
        pipe.unlearn(0)
    assert pickle.dumps(pipe) == before
    assert get_unlearning_tags(pipe).kind == "none"


@pytest.mark.fast
def test_on_memory_refit_fits_such_a_step_anew(table):
    X, y = table

    def build():
        return make_pipeline(
            StandardScaler(),
            sklearn.preprocessing.MinMaxScaler(),
            Ridge(),
            on_memory="refit",
        )

    pipe = build().fit(X, y).unlearn([5]).unlearn([0, 6])
    assert ways(pipe) == ["unlearned", "refitted", "refitted"]
    again = build().fit(np.delete(X, [0, 5, 6], 0), np.delete(y, [0, 5, 6]))
    assert_allclose(pipe.predict(X), again.predict(X), rtol=1e-9)
    assert X[5].tobytes() not in pickle.dumps(pipe)
    tree = make_pipeline(DecisionTreeRegressor(random_state=0), on_memory="refit").fit(X, y)
    exact = DecisionTreeRegressor(random_state=0).fit(X[1:], y[1:])
    assert_array_equal(tree.unlearn(0).predict(X), exact.predict(X))


def test_on_memory_refit_refuses_fit_parameters_it_cannot_replay(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), DummyRegressor(), on_memory="refit")
    with pytest.raises(ValueError, match="cannot replay"):
        pipe.fit(X, y, dummyregressor__sample_weight=np.ones(len(X)))


class FailingRidge(Ridge):
    """Fails where a request is nearly through."""

    def _push_affine(self, *args):
        super()._push_affine(*args)
        raise MemoryError("no room")


@pytest.mark.fast
def test_a_failure_in_a_late_step_leaves_all_steps_as_they_were(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), FailingRidge()).fit(X, y)
    before = pickle.dumps(pipe)
    with pytest.raises(MemoryError, match="no room"):
        pipe.unlearn([1, 2])
    assert pickle.dumps(pipe) == before


def test_concurrent_predictions_are_all_old_or_all_new(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    versions = [pipe.predict(X)]
    twin = pickle.loads(pickle.dumps(pipe))
    requests = [[i] for i in range(150)]
    for request in requests:
        versions.append(twin.unlearn(request).predict(X))
    known = {version.tobytes() for version in versions}
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            seen.append(pipe.predict(X).tobytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for request in requests:
        pipe.unlearn(request)
    done.set()
    watcher.join()
    assert set(seen) <= known


@pytest.mark.fast
def test_errors_come_before_anything_changes(table):
    X, y = table
    with pytest.raises(NotFittedError):
        make_pipeline(StandardScaler(), Ridge()).unlearn(0)
    with pytest.raises(ValueError, match="memory"):
        make_pipeline(StandardScaler(), Ridge(), memory="/nowhere").fit(X, y)
    with pytest.raises(ValueError, match="once, to the pipeline"):
        make_pipeline(StandardScaler(), Ridge()).fit(X, y, ridge__sample_ids=np.arange(300))
    pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    before = pickle.dumps(pipe)
    with pytest.raises(UnknownSampleError, match="1 of 2"):
        pipe.unlearn([3, 1000])
    with pytest.raises(NotUnlearnableError, match="all 300"):
        pipe.unlearn(np.arange(300))
    assert pickle.dumps(pipe) == before
    with pytest.raises(NotUnlearnableError, match="sliced from a pipeline"):
        pipe[:1].unlearn(3)


def test_predictor_is_a_stock_pipeline_without_rows(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, y).unlearn([3])
    predictor = pipe.to_predictor()
    assert type(predictor) is sklearn.pipeline.Pipeline
    assert type(predictor[0]) is sklearn.preprocessing.StandardScaler
    assert_array_equal(predictor.predict(X), pipe.predict(X))
    assert len(pickle.dumps(predictor)) < 5000


def test_grid_search_slices_the_ids():
    X, y = load_diabetes(return_X_y=True)
    ids = np.array([f"patient-{i}" for i in range(len(X))])
    search = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 10.0]})
    best = search.fit(X, y, sample_ids=ids).best_estimator_
    best.unlearn(["patient-7"])
    assert "patient-7" not in best.sample_ids_
    assert "patient-7" not in best[0].sample_ids_


def test_a_copy_is_independent(table):
    import copy

    X, y = table
    pipe = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    twin = copy.copy(pipe).unlearn([1])
    assert len(pipe.sample_ids_) == 300
    assert_allclose(pipe.unlearn([1]).predict(X), twin.predict(X), rtol=1e-12)


def test_a_step_that_refuses_the_rows_left_refuses_the_request(table):
    X, _ = table
    y = np.arange(len(X)) < 3
    pipe = make_pipeline(
        StandardScaler(), sklearn.linear_model.LogisticRegression(), on_memory="refit"
    ).fit(X, y)
    before = pipe.predict_proba(X)
    with pytest.raises(NotUnlearnableError, match=r"logisticregression.*Nothing was changed"):
        pipe.unlearn([0, 1, 2])
    assert_array_equal(pipe.predict_proba(X), before)
    assert len(pipe.sample_ids_) == len(X)
