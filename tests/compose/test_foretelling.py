"""What a request would take in compositions: foretold without fitting or transforming anything."""

import copy

import numpy as np
import pytest
import sklearn.preprocessing
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeRegressor

from skunlearn.cluster import QuantizedKMeans
from skunlearn.compose import ColumnTransformer
from skunlearn.decomposition import PCA
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.impute import SimpleImputer
from skunlearn.linear_model import LogisticRegression, Ridge
from skunlearn.neighbors import KNeighborsClassifier
from skunlearn.pipeline import FeatureUnion, make_pipeline
from skunlearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

pytestmark = pytest.mark.fast

PIPELINES = {
    "pushed through": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "pushed through twice": lambda: make_pipeline(StandardScaler(), PCA(2), Ridge()),
    "moments": lambda: make_pipeline(RobustScaler(), Ridge()),
    "refitted": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier()),
    "stateless": lambda: make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()),
    "unchanged": lambda: make_pipeline(MinMaxScaler(), LogisticRegression()),
    "expensive first": lambda: make_pipeline(PowerTransformer(), StandardScaler(), Ridge()),
    "clusters": lambda: make_pipeline(QuantizedKMeans(3, random_state=0), Ridge()),
    "others": lambda: make_pipeline(StandardScaler(), DecisionTreeRegressor(), on_memory="refit"),
    "another in front": lambda: make_pipeline(
        sklearn.preprocessing.StandardScaler(), Ridge(), on_memory="refit"
    ),
    "side by side": lambda: make_pipeline(
        ColumnTransformer(
            [
                ("scale", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]),
                ("encode", OneHotEncoder(), [3]),
            ],
            remainder="passthrough",
        ),
        LogisticRegression(),
    ),
    "union": lambda: make_pipeline(
        StandardScaler(), FeatureUnion([("a", MinMaxScaler()), ("b", PCA(2))]), Ridge()
    ),
    "union of expensive ones": lambda: make_pipeline(
        FeatureUnion([("a", PowerTransformer()), ("b", StandardScaler())]), Ridge()
    ),
    "nested": lambda: make_pipeline(
        StandardScaler(), make_pipeline(StandardScaler(), LogisticRegression())
    ),
}


def draw(seed, n=120):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    X[:, 3] = rng.integers(0, 3, n)
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)


@pytest.mark.parametrize("make", PIPELINES.values(), ids=PIPELINES)
@pytest.mark.parametrize("after_one", [False, True])
def test_steps_go_the_ways_and_parts_are_refitted_that_were_foretold(
    make, after_one, global_random_seed
):
    X, y = draw(global_random_seed)
    pipe = make().fit(X, y, sample_ids=np.arange(120))
    if after_one:
        pipe.unlearn(119)
    request = np.random.default_rng(global_random_seed).choice(119, 5, replace=False)
    cost = pipe.unlearning_cost(request)
    report = pipe.unlearn(request).unlearning_report_
    assert [(step.name, step.way) for step in cost.steps] == [
        (step.name, step.way) for step in report.steps
    ]
    assert (cost.n_parts_touched, cost.n_parts) == (report.n_refitted, report.n_parts)
    assert cost.part == "part"
    assert cost.seconds > 0.0


@pytest.mark.parametrize("make", PIPELINES.values(), ids=PIPELINES)
def test_nothing_is_fitted_or_transformed(make, monkeypatch):
    X, y = draw(0)
    pipe = make().fit(X, y, sample_ids=np.arange(120))
    pipe.unlearn(119)  # which makes what requests need

    def refuse(*args, **kwargs):
        raise AssertionError("fitted or transformed")

    for cls in (
        *(StandardScaler, LogisticRegression, Ridge, KNeighborsClassifier, PowerTransformer),
        *(DecisionTreeRegressor, PolynomialFeatures, MinMaxScaler, PCA, QuantizedKMeans),
        sklearn.preprocessing.StandardScaler,
    ):
        for method in ("fit", "transform", "fit_transform"):
            if hasattr(cls, method):
                monkeypatch.setattr(cls, method, refuse)
    assert pipe.unlearning_cost([3, 4]).n_rows == 2


def test_passes_and_times_of_steps_add_up():
    X, y = draw(0)
    pipe = make_pipeline(PowerTransformer(), KNeighborsClassifier())
    pipe.fit(X, y, sample_ids=np.arange(120))
    cost = pipe.unlearning_cost(range(12))
    assert cost.n_passes == pytest.approx(2 * 108 / 120)
    assert cost.seconds == pytest.approx(sum(step.seconds for step in cost.steps))
    removal = pipe._unlearn(np.arange(12))
    assert removal.n_passes == pytest.approx(cost.n_passes)


def test_a_step_that_does_not_know_its_time_gets_what_others_leave():
    X, y = draw(0)
    pipe = make_pipeline(StandardScaler(), DecisionTreeRegressor(), on_memory="refit")
    pipe.fit(X, y, sample_ids=np.arange(120))
    whole, known = (part._seconds_of_fit(119) for part in (pipe, pipe[0]))
    tree = pipe.unlearning_cost(3).steps[-1]
    assert tree.way == "refitted"
    # the scaler's rows have to be transformed, which takes about what fitting it takes
    assert tree.seconds == pytest.approx(whole)
    assert known > 0.0


def test_frozen_steps_stay_frozen():
    X, y = draw(0)
    frozen = FrozenEstimator(sklearn.preprocessing.StandardScaler().fit(X))
    pipe = make_pipeline(StandardScaler(), frozen, Ridge()).fit(X, y, sample_ids=np.arange(120))
    assert [step.way for step in pipe.unlearning_cost(3).steps] == [
        "unlearned",
        "frozen",
        "refitted",
    ]


def test_what_cannot_be_carried_out_raises():
    X, y = draw(0)
    pipe = make_pipeline(sklearn.preprocessing.StandardScaler(), Ridge())
    pipe.fit(X, y, sample_ids=np.arange(120))
    for doing in (pipe.unlearning_cost, pipe.unlearn):
        with pytest.raises(NotUnlearnableError, match="remembers training rows"):
            doing(3)
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    pipe.fit(X, y, sample_ids=np.arange(120))
    before = copy.deepcopy(pipe)
    lone = np.flatnonzero(y)
    for doing in (pipe.unlearning_cost, before.unlearn):
        with pytest.raises(NotUnlearnableError, match="class"):
            doing(lone)


def test_rows_that_cannot_be_written_are_not_copied():
    X, y = draw(0)
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    pipe.fit(X, y, sample_ids=np.arange(120))
    tables = [step._samples.X for _, step in pipe.steps]
    for table in tables:
        table.flags.writeable = False
    pipe.unlearning_cost(3)
    assert all(step._samples.X is X for (_, step), X in zip(pipe.steps, tables, strict=True))
    assert pipe.unlearn(3).unlearning_report_.n_removed == 1
