"""The verb itself, on estimators small enough to see through."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

import skunlearn._unlearning.commit
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.commit import Replacement, commit
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError
from skunlearn.utils import UnlearningTags, get_unlearning_tags

pytestmark = pytest.mark.fast


class Counter(UnlearnerMixin, TransformerMixin, BaseEstimator):
    """Counts rows; its private buffers show whether they are overwritten."""

    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten = ("_box", "_buffer", "_same")

    def __init__(self, sparse_rows=False):
        self.sparse_rows = sparse_rows

    def fit(self, X, y=None, *, sample_ids=None):
        sources = (X, y, None)
        X = validate_data(self, X, accept_sparse="csr", ensure_all_finite=False)
        self._hold_samples(X, y, sources=sources, sample_ids=sample_ids)
        self.__dict__.update(self._state(X.shape[0]))
        self._same = np.ones(3)
        return self

    def _state(self, n):
        return {"n_": n, "also_n_": n, "_buffer": np.full(3, float(n)), "_box": Box(n)}

    def _unlearn(self, rows):
        n = self._samples.n_samples - rows.size
        return Removal(
            self._state(n) | {"_same": self._same}, Guarantee("bitwise"), 1, 2, part="counter"
        )

    @reads_one_version
    def transform(self, X):
        check_is_fitted(self)
        return np.array([[self.n_, self.also_n_]])


class Box:
    def __init__(self, content):
        self.content = content

    def wipe(self):
        self.content = None


def fitted(n=6, **kwargs):
    return Counter().fit(np.arange(2.0 * n).reshape(n, 2), **kwargs)


def test_replaced_private_buffers_are_overwritten_and_others_kept():
    model = fitted()
    buffer, box, same = model._buffer, model._box, model._same
    model.unlearn([1, 2])
    assert not buffer.any()
    assert box.content is None
    assert model._buffer.tolist() == [4.0] * 3
    assert model._box.content == 4
    assert model._same is same
    assert same.tolist() == [1.0] * 3


def test_report_takes_what_the_hook_says():
    report = fitted().unlearn([3, 3, 0]).unlearning_report_
    assert (report.n_requested, report.n_removed, report.n_remaining) == (2, 2, 4)
    assert (report.n_refitted, report.n_parts, report.part) == (1, 2, "counter")
    assert report.guarantee == Guarantee("bitwise")


def test_an_empty_request_calls_no_hook(monkeypatch):
    model = fitted()
    monkeypatch.setattr(Counter, "_unlearn", None)
    assert model.unlearn([]) is model
    assert model.unlearning_report_.n_removed == 0
    assert model.unlearning_report_.guarantee.kind == "bitwise"


def test_unfitted_models_say_so():
    for action in (
        lambda: Counter().unlearn([0]),
        lambda: Counter().find_samples([[0.0]]),
        lambda: Counter().purge(),
        lambda: Counter().to_predictor(),
    ):
        with pytest.raises(NotFittedError):
            action()
    assert not hasattr(Counter(), "sample_ids_")


def test_a_hook_is_needed():
    class Unfinished(Counter):
        _unlearn = UnlearnerMixin._unlearn

    model = Unfinished().fit(np.eye(3))
    with pytest.raises(NotImplementedError, match="Unfinished"):
        model.unlearn([0])
    assert model.sample_ids_.tolist() == [0, 1, 2]


def test_estimators_without_unlearn_have_no_unlearning_tags():
    from sklearn.preprocessing import StandardScaler

    assert get_unlearning_tags(StandardScaler()) is None
    assert get_unlearning_tags(Counter()) == UnlearningTags("bitwise")
    assert get_tags(Counter()).transformer_tags is not None


def break_table(monkeypatch, name):
    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(f"skunlearn._samples.{name}", fail)


@pytest.mark.parametrize("function", ["row_ids.as_keys", "store.hash_rows", "store.take"])
def test_want_of_memory_while_rows_are_removed_changes_nothing(monkeypatch, function):
    model = fitted(sample_ids=list("abcdef"))
    model.find_samples([[0.0, 1.0]])
    model.unlearn("a")
    before = pickle.dumps(model)
    buffer = model._buffer
    rows = model._samples.resolve(["b", "c"])[1]
    removal = model._unlearn(rows)
    with monkeypatch.context() as patch:
        break_table(patch, function)
        with pytest.raises(MemoryError):
            commit([Replacement(model, removal.attributes, rows)])
    assert pickle.dumps(model) == before
    assert buffer.all()
    model.unlearn(["b", "c"])
    assert model.sample_ids_.tolist() == ["d", "e", "f"]
    assert model.find_samples([[2.0, 3.0]]).size == 0


def test_one_failing_part_stops_a_joint_commit():
    first, second = fitted(), fitted()
    rows = np.array([0])

    class Failing(SampleStore):
        def remove(self, rows):
            raise MemoryError

    second._samples.__class__ = Failing
    with pytest.raises(MemoryError):
        commit([Replacement(m, m._unlearn(rows).attributes, rows) for m in (first, second)])
    assert first.n_ == second.n_ == 6
    assert first.sample_ids_.size == 6


def test_a_complete_new_state_replaces_the_old_one():
    model, fresh = fitted(), fitted(4)
    model.stale_ = 1
    store, buffer = model._samples, model._buffer
    commit([Replacement(model, dict(vars(fresh)), None)])
    assert vars(model) == vars(fresh)
    assert not buffer.any()
    assert not store.X.any()
    assert model._samples.X[-1].tolist() == [6.0, 7.0]


def test_readers_never_see_half_a_model():
    model = fitted(3000)
    stop = threading.Event()
    seen = []

    def read():
        while not stop.is_set():
            seen.append(model.transform(None).ravel().tolist())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(300):
        model.unlearn(i)
    stop.set()
    for reader in readers:
        reader.join()
    assert all(a == b for a, b in seen)


def test_requests_from_many_threads_are_served_one_by_one():
    model = fitted(400)
    threads = [
        threading.Thread(target=lambda part=part: [model.unlearn(i) for i in range(part, 320, 8)])
        for part in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model.n_ == 80
    assert model.sample_ids_.tolist() == list(range(320, 400))


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_share_no_private_state(duplicate):
    model = fitted(sample_ids=list("abcdef"))
    twin = duplicate(model)
    model.unlearn("a")
    assert twin._buffer.tolist() == [6.0] * 3
    assert twin._box.content == 6
    assert twin.sample_ids_.tolist() == list("abcdef")
    twin.unlearn(["a", "b"])
    assert model.sample_ids_.tolist() == list("bcdef")
    assert twin._samples.lock is not model._samples.lock


def test_copies_of_unfitted_models_work():
    assert vars(copy.copy(Counter(True))) == {"sparse_rows": True}


def test_fit_starts_a_new_life():
    model = fitted().unlearn([0])
    model.fit(np.zeros((3, 2)), sample_ids=["x", "y", "z"])
    assert not hasattr(model, "unlearning_report_")
    assert model.sample_ids_.tolist() == ["x", "y", "z"]
    assert not hasattr(clone(model), "sample_ids_")


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_find_samples_compares_rows_as_stored(kind):
    X = np.array([[1.0, 0.0], [0.0, np.nan], [1.0, 0.0], [2.0, 3.0]])
    y = np.array([0.0, 1.0, 5.0, 0.0])
    model = Counter().fit(kind(X), y, sample_ids=["a", "b", "c", "a"])
    assert model.find_samples(X[:1]).tolist() == ["a", "c"]
    assert model.find_samples(kind(X[:1]), [5.0]).tolist() == ["c"]
    assert model.find_samples(X[1:2]).tolist() == ["b"]
    assert model.find_samples(X).tolist() == ["a", "b", "c"]
    assert model.find_samples([[7.0, 7.0]]).size == 0
    with pytest.raises(ValueError, match="1 rows, but y has 2"):
        model.find_samples(X[:1], [1.0, 2.0])
    with pytest.raises(ValueError, match="features"):
        model.find_samples([[1.0, 2.0, 3.0]])
    model.unlearn("a")
    assert model.find_samples(X).tolist() == ["b", "c"]


def test_purge_compacts():
    model = fitted().unlearn([0, 1])
    assert model._samples.n_slots == 6
    assert model.purge() is model
    assert model._samples.n_slots == 4
    assert model.sample_ids_.tolist() == [2, 3, 4, 5]
    with pytest.raises(UnknownSampleError):
        model.unlearn(0)


def test_predictors_hold_public_state_only():
    model = fitted().unlearn([0])
    predictor = model.to_predictor()
    assert vars(predictor) == {"sparse_rows": False, "n_features_in_": 2, "n_": 5, "also_n_": 5}
    assert predictor.transform(None).tolist() == [[5, 5]]
    with pytest.raises(NotUnlearnableError, match="holds no training rows"):
        predictor.unlearn([1])


def test_html_states_the_promise_and_the_last_request():
    assert "bitwise" in Counter()._repr_mimebundle_()["text/html"]
    html = fitted().unlearn([0])._repr_mimebundle_()["text/html"]
    assert "rows held" in html
    assert "Counter.unlearn" in html
    assert "Counter.unlearn" in fitted().unlearn([0])._repr_html_inner()


def test_ids_are_checked_before_anything_is_kept():
    model = fitted()
    with pytest.raises(ValueError, match="one id per row"):
        model.fit(np.eye(3), sample_ids=[1, 2])
    assert model.sample_ids_.size == 6


def test_the_lock_of_readers_is_reentrant():
    with skunlearn._unlearning.commit._SWITCH:
        assert fitted().transform(None).tolist() == [[6, 6]]
