"""Predictions on a GPU equal the CPU's bit for bit; and all that is around the kernel, without one.

Where there is no CuPy, another library's arrays stand in for its own, and a function that reads the
kernel's arguments by their names in its source stands in for the kernel.
"""

import re
from contextlib import nullcontext

import array_api_strict as xp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skunlearn._array_api import is_cupy, is_foreign, to_host
from skunlearn._kernels.forest import tree_parts
from skunlearn._kernels.forest.grow import NODE
from skunlearn._kernels.forest.tree_parts import GINI, SQUARED_ERROR
from skunlearn._kernels.forest.tree_paths import block, decisive, find_leaves, vote
from skunlearn.ensemble import UnlearningForestClassifier, UnlearningForestRegressor
from skunlearn.ensemble._forest import cuda

TYPES = {
    "const Node*": "int32",
    "const int*": "int32",
    "const unsigned char*": "uint8",
    "const float*": "float32",
    "const long long*": "int64",
    "const double*": "float64",
    "double*": "float64",
    "int*": "int32",
    "int": "int32",
    "long long": "int64",
}


def named(arguments):
    """Name arguments as the kernel does, and check their types."""
    (inside,) = re.findall(rf"void {cuda.NAME}\((.*?)\)", cuda.SOURCE, re.DOTALL)
    parameters = [text.strip().rsplit(" ", 1) for text in inside.split(",")]
    for (kind, name), argument in zip(parameters, arguments, strict=True):
        assert str(argument.dtype).endswith(TYPES[kind]), name
        assert kind.endswith("*") == is_foreign(argument), name
    return {name: argument for (_, name), argument in zip(parameters, arguments, strict=True)}


class StandIn:
    """What happens at a launch, on the host."""

    def __init__(self):
        self.launched = []
        self.fails = False

    def launch(self, n_blocks, arguments):
        """Do what the kernel does."""
        given = named(arguments)
        self.launched.append(given)
        if self.fails:
            raise RuntimeError("out of memory")
        host = {name: to_host(argument) for name, argument in given.items()}
        nodes, X = host["nodes"].view(NODE), host["X"]
        assert X.flags.c_contiguous
        assert X.shape == (host["n_rows"], host["n_features"])
        assert n_blocks * 128 >= len(X)
        assert host["roots"].shape == (host["n_trees"],)
        categorical = host["is_categorical"].view(bool)
        if host["n_values"]:
            assert host["stats"].shape == (nodes.size, host["n_sums"])
            criterion = GINI if host["n_sums"] == host["n_values"] else SQUARED_ERROR
            out = np.empty((len(X), host["n_values"]))
            trees = (nodes, host["roots"], host["stats"])
            how, spare = decisive(X, categorical), np.empty(len(X), dtype=np.int32)
            vote(*trees, X, *how, criterion, host["factors"], block(), spare, out)
            given["votes"][...] = xp.asarray(out)
            return
        for tree, root in enumerate(host["roots"]):
            ends = np.empty(len(X), dtype=np.int32)
            find_leaves(nodes, root, X, *decisive(X, categorical), block(), ends)
            given["leaves"][:, tree] = xp.asarray(host["numbers"][ends])


@pytest.fixture
def stand_in(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setattr("skunlearn.ensemble._forest.rows.is_cupy", is_foreign)
    monkeypatch.setattr(cuda, "_made_current", lambda X: nullcontext())
    monkeypatch.setattr(cuda, "_launch", stand_in.launch)
    return stand_in


@pytest.fixture
def cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install skunlearn[gpu]")
    if not cupy.is_available():
        pytest.skip("CuPy finds no CUDA device")
    return cupy


def draw_models(rng):
    """Draw forests that went through a request, and rows to ask them about."""
    X = np.round(rng.normal(size=(400, 5)), 1)
    X[rng.random(X.shape) < 0.05] = np.nan
    y = rng.integers(0, 3, 400)
    queries = rng.normal(size=(300, 5))
    queries[rng.random(queries.shape) < 0.05] = np.nan
    options = {"max_samples": 0.4, "random_state": 0}
    weights = {0: 1.0, 1: 0.3, 2: 7.1}
    classifier = UnlearningForestClassifier(13, class_weight=weights, **options).fit(X, y)
    empty = UnlearningForestClassifier(30, max_samples=0.03, random_state=0).fit(X[:9], y[:9] % 2)
    regressor = UnlearningForestRegressor(7, **options).fit(X, rng.normal(size=(400, 2)))
    models = [classifier.unlearn(range(70)), empty.unlearn(range(4)), regressor.unlearn(5)]
    models.append(UnlearningForestRegressor(5, **options).fit(X, y))
    return models, queries


def assert_same_there(model, queries, put, holds):
    there = put(queries)
    for name in ("predict", "predict_proba", "predict_log_proba", "apply"):
        if hasattr(model, name):
            expected, found = getattr(model, name)(queries), getattr(model, name)(there)
            if name == "predict" and hasattr(model, "classes_"):
                assert isinstance(found, np.ndarray)
            else:
                assert holds(found), name
                found = to_host(found)
            if name == "predict_log_proba":
                np.testing.assert_allclose(found, expected, rtol=1e-14)
            else:
                assert found.dtype == expected.dtype
                assert_array_equal(found, expected)
    path, first = model.decision_path(there)
    assert_array_equal(path.toarray(), model.decision_path(queries)[0].toarray())
    assert first[-1] == path.shape[1]


def test_predictions_on_a_gpu_equal_those_here(cupy, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    models, queries = draw_models(rng)
    for model in models:
        for rows in (queries, queries[:1], queries.astype(np.float32), np.asfortranarray(queries)):
            assert_same_there(model, rows, cupy.asarray, is_cupy)


def test_categories_on_a_gpu_are_hashed_as_here(cupy, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    forest = draw_models(rng)[0][0]._forest
    forest.is_categorical = np.array([True, False, True, False, True])
    X = rng.integers(0, 40, (500, 5)).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    inner = forest.trees.nodes["threshold"] != np.inf
    hashed = rng.integers(1 << 30, size=inner.sum(), dtype=np.uint32).view(np.float32)
    forest.trees.nodes["threshold"][inner] = hashed
    there = cupy.asarray(X)
    assert_array_equal(to_host(forest.leaves(there)), forest.leaves(X))
    assert_array_equal(to_host(forest.vote(there, np.ones(3))), forest.vote(X, np.ones(3)))


def test_arguments_are_those_that_the_kernel_takes(stand_in, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    models, queries = draw_models(rng)
    for model in models:
        assert_same_there(model, queries, xp.asarray, is_foreign)
    assert len(stand_in.launched) == 2 * 5 + 2 * 3


def test_scores_come_from_there(stand_in):
    (classifier, _, _, regressor), queries = draw_models(np.random.default_rng(0))
    labels = np.arange(300) % 3
    there = xp.asarray(queries)
    assert classifier.score(there, labels) == classifier.score(queries, labels)
    numbers = labels.astype(float)
    assert regressor.score(there, xp.asarray(numbers)) == regressor.score(queries, numbers)


@pytest.mark.parametrize("fails", [False, True])
def test_the_trees_are_overwritten_there(stand_in, fails):
    (model, *_), queries = draw_models(np.random.default_rng(0))
    stand_in.fails = fails
    for method in (model.predict_proba, model.apply):
        if fails:
            with pytest.raises(RuntimeError, match="out of memory"):
                method(xp.asarray(queries))
        else:
            method(xp.asarray(queries))
    assert len(stand_in.launched) == 2
    for given in stand_in.launched:
        for name in ("nodes", "stats", "numbers"):
            assert not to_host(given[name]).any(), name


def test_rows_there_are_checked_as_here(stand_in):
    (model, *_), queries = draw_models(np.random.default_rng(0))
    for wrong, message in (
        (queries[:, :3], "3 features"),
        (queries[0], "2D array"),
        (queries[:0], "0 sample"),
        (np.full((2, 5), np.inf), "infinity"),
        (np.full((2, 5), 1e300), "infinity"),
        (np.zeros((2, 5), dtype=complex), "Complex"),
    ):
        with (
            pytest.raises(ValueError, match=message),
            np.errstate(over="ignore"),
        ):
            model.predict(xp.asarray(wrong))
    assert_array_equal(
        to_host(model.predict_proba(xp.asarray(np.eye(5, dtype=int)))),
        model.predict_proba(np.eye(5, dtype=int)),
    )
    assert not stand_in.launched[1:]


@pytest.mark.fast
def test_forests_grow_on_the_host_and_take_no_other_library():
    (model, *_), queries = draw_models(np.random.default_rng(0))
    with pytest.raises(TypeError, match="works on NumPy arrays and got an array of array_api"):
        UnlearningForestRegressor().fit(xp.asarray(queries), xp.asarray(queries[:, 0]))
    for method in (model.predict, model.apply, model.to_predictor().predict):
        with pytest.raises(TypeError, match="got an array of array_api_strict"):
            method(xp.asarray(queries))
    assert not is_cupy(queries)


@pytest.mark.fast
def test_the_source_hashes_as_the_kernels_do():
    factor = f"(code >> {tree_parts.POSITIONS}) * {int(tree_parts._ORDER):#x}u;"
    assert factor in cuda.SOURCE
    last = f">> {tree_parts._NO_POSITION} <= (code & {int(tree_parts.LAST_POSITION):#x});"
    assert last in cuda.SOURCE
    assert f"{np.float32(np.inf).view(np.uint32):#x}u" in cuda.SOURCE
