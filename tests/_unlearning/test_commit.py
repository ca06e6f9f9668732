"""A commit is all or nothing, whatever interrupts it, in every step of a pipeline."""

import copy
import itertools
import signal
import time

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skunlearn._unlearning import commit as commit_module
from skunlearn._unlearning.commit import Replacement, commit, finish_interrupted
from skunlearn.ensemble import UnlearningForestClassifier
from skunlearn.exceptions import UnknownSampleError
from skunlearn.feature_extraction.text import CountVectorizer
from skunlearn.feature_selection import VarianceThreshold
from skunlearn.impute import SimpleImputer
from skunlearn.linear_model import LogisticRegression, Ridge
from skunlearn.naive_bayes import MultinomialNB
from skunlearn.neighbors import KNeighborsClassifier
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from skunlearn.svm import SVC
from skunlearn.utils._checks.tracing import at_each_line, count_lines
from skunlearn.utils._compare import outputs_of
from skunlearn.utils._difference import differ

N_ROWS = 90
GONE = np.arange(0, N_ROWS, 3)


class Struck(KeyboardInterrupt):
    """What the tests raise in the middle of a request."""


def table(seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, size=(N_ROWS, 3)).astype(float)
    X[GONE] += 3
    return X, np.arange(N_ROWS) // 2 % 2


def pipelines():
    yield make_pipeline(StandardScaler(), Ridge())
    yield make_pipeline(RobustScaler(), MinMaxScaler(), MultinomialNB())
    yield make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(), Ridge())
    yield make_pipeline(VarianceThreshold(), TargetEncoder(), LogisticRegression())
    yield make_pipeline(KBinsDiscretizer(3, encode="ordinal"), KNeighborsClassifier())
    yield make_pipeline(
        StandardScaler(), UnlearningForestClassifier(5, random_state=0), memory=None
    )


def name_of(pipe):
    return "-".join(type(step).__name__ for _, step in pipe.steps)


def held_by(pipe):
    """Return the number of rows that each step holds, and the whole."""
    return {step.sample_ids_.size for _, step in pipe.steps} | {pipe.sample_ids_.size}


def fitted(pipe, seed=0):
    X, y = table(seed)
    return copy.deepcopy(pipe).fit(X, y, sample_ids=np.arange(N_ROWS) + 1000)


def ids_of(rows):
    return np.asarray(rows) + 1000


def assert_one_version(model, before, after):
    """Check that a model is one of two in all its steps, and becomes the second on request."""
    assert len(held_by(model)) == 1
    if differ(vars(model), vars(before)) is None:
        model.unlearn(ids_of(GONE))
    else:
        with pytest.raises(UnknownSampleError):
            model.unlearn(ids_of(GONE))
    assert_array_equal(model.sample_ids_, after.sample_ids_)
    for (_, step), (_, wanted) in zip(model.steps, after.steps, strict=True):
        difference = differ(
            {k: v for k, v in vars(step).items() if k != "unlearning_report_"},
            {k: v for k, v in vars(wanted).items() if k != "unlearning_report_"},
            rtol=1e-9,
            private=False,
        )
        assert difference is None, difference


@pytest.mark.parametrize(
    ("step", "pipe"),
    [pytest.param(*pair, id=name_of(pair[1])) for pair in enumerate(pipelines(), 1)],
)
def test_an_interrupt_at_any_line_leaves_one_version(step, pipe):
    before = fitted(pipe).unlearn(ids_of([1]))
    after = copy.deepcopy(before).unlearn(ids_of(GONE))
    trial = copy.deepcopy(before)
    whole = count_lines(lambda: trial.unlearn(ids_of(GONE)))
    trial = copy.deepcopy(before)
    last = count_lines(lambda: trial.unlearn(ids_of(GONE)), commit.__code__)
    # of the commit, which comes last, most lines for the first pipeline, and a few lines before it
    before_it = np.linspace(1, whole - last, 10)
    within = np.linspace(whole - last, whole, 200 if step == 1 else 40)
    for line in np.unique([*before_it, *within]).astype(int).tolist():
        trial = copy.deepcopy(before)

        def strike(at, line=line):
            if at == line:
                raise Struck

        try:
            with at_each_line(strike):
                trial.unlearn(ids_of(GONE))
        except Struck:
            pass
        assert_one_version(trial, before, after)


# A signal that strikes while locks of copies are collected is reported and lost, as all are there.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_signals_leave_one_version():
    def strike(*_):
        raise Struck

    pipe = make_pipeline(StandardScaler(), Ridge())
    before = fitted(pipe).unlearn(ids_of([1]))
    after = copy.deepcopy(before).unlearn(ids_of(GONE))
    trial = copy.deepcopy(before)
    started = time.perf_counter()
    trial.unlearn(ids_of(GONE))
    usual = time.perf_counter() - started
    former = signal.signal(signal.SIGALRM, strike)
    n_struck = 0
    try:
        for share in np.linspace(0.02, 1.5, 90):
            trial = copy.deepcopy(before)
            try:
                signal.setitimer(signal.ITIMER_REAL, share * usual)
                trial.unlearn(ids_of(GONE))
                signal.setitimer(signal.ITIMER_REAL, 0)
            except (Struck, SystemError):
                n_struck += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert_one_version(trial, before, after)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert n_struck > 2


def test_a_fault_in_a_commit_that_is_in_force_is_raised_when_it_is_done():
    X, y = table(0)
    model, reference = (Ridge().fit(X, y, sample_ids=np.arange(N_ROWS)) for _ in range(2))
    rows = np.array([4, 7])
    removal = model._unlearn(rows)
    reference.unlearn(rows)
    struck = itertools.count()

    def edit():
        if next(struck) < 40:
            raise Struck

    with pytest.raises(Struck):
        commit([Replacement(model, removal.attributes, rows, edit)])
    assert next(struck) == 41
    assert_array_equal(model.sample_ids_, reference.sample_ids_)
    assert_array_equal(model.coef_, reference.coef_)
    assert_array_equal(model._samples.X[rows], 0.0)


def test_an_error_that_stays_does_not_keep_the_rest_from_being_done():
    X, y = table(0)
    model = Ridge().fit(X, y, sample_ids=np.arange(N_ROWS))
    rows = np.array([4, 7])

    def edit():
        raise MemoryError("for ever")

    with pytest.raises(MemoryError, match="for ever"):
        commit([Replacement(model, model._unlearn(rows).attributes, rows, edit)])
    assert_array_equal(model._samples.X[rows], 0.0)
    assert not commit_module._JOURNALS
    model.unlearn(3)


def test_what_was_left_is_finished_by_whoever_comes_next(monkeypatch):
    X, _ = table(0)
    model = StandardScaler().fit(X, sample_ids=np.arange(N_ROWS))
    with monkeypatch.context() as patched:

        def struck(journal):
            raise Struck

        patched.setattr(commit_module._Journal, "finish", struck)
        with pytest.raises(Struck):
            model.unlearn([4, 7])
    assert np.isin([4, 7], model.sample_ids_).sum() == 0
    assert_array_equal(model._samples.X[[4, 7]], 0.0)
    assert not commit_module._JOURNALS
    finish_interrupted()
    assert_allclose(model.mean_, np.delete(X, [4, 7], 0).mean(axis=0))


TEXTS = np.array(["red cat", "red dog", "blue cat", "blue dog", "red mole cat", "dog"], object)


@pytest.mark.parametrize(
    "model",
    [
        StandardScaler(),
        RobustScaler(),
        OneHotEncoder(),
        TargetEncoder(),
        MultinomialNB(),
        KNeighborsClassifier(),
        SVC(),
        LogisticRegression(),
        UnlearningForestClassifier(5, random_state=0),
        make_pipeline(StandardScaler(), Ridge()),
        CountVectorizer(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_memory_mapped_models_forget(model, tmp_path):
    X, y = table(0)
    if isinstance(model, CountVectorizer):
        X, y = TEXTS, None
    ids = np.arange(len(X))
    model = copy.deepcopy(model).fit(X, y, sample_ids=ids).unlearn(0)
    joblib.dump(model, tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    for rows in ([1], [2, 3]):
        model.unlearn(rows)
        mapped.unlearn(rows)
        assert_array_equal(mapped.sample_ids_, model.sample_ids_)
        assert differ(outputs_of(mapped, X), outputs_of(model, X), rtol=1e-12) is None
    assert (tmp_path / "model").read_bytes() == content


def test_html_of_one_version():
    X, _ = table(0)
    model = StandardScaler().fit(X, sample_ids=np.arange(N_ROWS)).unlearn([1, 2])
    shown = model._repr_mimebundle_()["text/html"]
    assert "rows held" in shown
    assert f"{N_ROWS - 2}" in shown
