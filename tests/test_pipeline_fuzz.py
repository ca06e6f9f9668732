"""Random pipelines and requests; refits on the remaining rows, ours and scikit-learn's, judge."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import FunctionTransformer, Normalizer, PolynomialFeatures

from skunlearn.compose import ColumnTransformer
from skunlearn.decomposition import PCA
from skunlearn.discriminant_analysis import LinearDiscriminantAnalysis
from skunlearn.ensemble import UnlearningForestClassifier
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from skunlearn.feature_selection import SelectKBest, VarianceThreshold, chi2, f_classif
from skunlearn.impute import SimpleImputer
from skunlearn.linear_model import LogisticRegression, Ridge
from skunlearn.naive_bayes import GaussianNB, MultinomialNB
from skunlearn.neighbors import KNeighborsClassifier
from skunlearn.pipeline import FeatureUnion, Pipeline
from skunlearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from skunlearn.utils import get_unlearning_tags
from tests.namesake import as_namesake, classes_in, has_twin

WORDS = ["oslo", "rome", "lima", "cairo", "quito", "the", "of", "and", "bergen", "turin"]
RARE = ["atlantis", "el dorado"]


def numbers_of(rng, n):
    """Make columns with ties, gaps, outliers, a constant one; all but the third are positive."""
    columns = [
        rng.gamma(2.0, size=n) + 0.1,
        rng.integers(1, 6, n).astype(float),
        rng.normal(size=n) * 10.0 ** rng.integers(-1, 2) + rng.normal() * 3,
        np.where(rng.random(n) < 0.9, 1.5, 2.5),
    ]
    X = np.column_stack(columns[: rng.integers(1, 5)])
    X[rng.integers(0, n), 0] = 50.0
    if rng.random() < 0.6:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X


def categories_of(rng, n):
    cities = rng.choice(WORDS[: rng.integers(2, 6)], n).astype(object)
    if rng.random() < 0.6:
        cities[rng.integers(0, n)] = rng.choice(RARE)
    if rng.random() < 0.5:
        cities[rng.random(n) < 0.15] = np.nan
    return cities


def texts_of(rng, n):
    return [" ".join(rng.choice(WORDS + RARE[:1], rng.integers(1, 6))) for _ in range(n)]


def draw_numeric(draw, gaps):
    """Draw steps for columns of numbers, and tell whether what comes out is bit for bit."""
    steps, exact = [], True
    if gaps:
        strategy = draw(st.sampled_from(["mean", "median", "most_frequent", "constant"]))
        imputer = SimpleImputer(strategy=strategy, add_indicator=draw(st.booleans()))
        steps.append(imputer)
        exact = strategy != "mean"
    for _ in range(draw(st.integers(0, 2))):
        choices = [
            StandardScaler(),
            MinMaxScaler(feature_range=draw(st.sampled_from([(0, 1), (-1, 2)]))),
            MaxAbsScaler(),
            RobustScaler(),
            PowerTransformer(standardize=draw(st.booleans())),
            FunctionTransformer(np.tanh, feature_names_out="one-to-one"),
            PolynomialFeatures(2, include_bias=False),
            VarianceThreshold(),
            PCA(1),
        ]
        if exact:  # rounding elsewhere could move a value to the other side of an edge
            choices += [
                KBinsDiscretizer(3, encode=draw(st.sampled_from(["ordinal", "onehot-dense"]))),
                QuantileTransformer(n_quantiles=7),
            ]
        step = draw(st.sampled_from(choices))
        kind = get_unlearning_tags(step)
        exact = exact and (kind is None or kind.kind == "bitwise")
        steps.append(step)
    return steps, exact


def draw_categorical(draw, gaps):
    steps = []
    if gaps and draw(st.booleans()):
        strategy = draw(st.sampled_from(["most_frequent", "constant"]))
        steps.append(SimpleImputer(strategy=strategy, fill_value="none"))
    encoders = [
        OneHotEncoder(handle_unknown="ignore", sparse_output=draw(st.booleans())),
        OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False),
        OneHotEncoder(min_frequency=3, handle_unknown="infrequent_if_exist"),
        OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        ),
        TargetEncoder(random_state=draw(st.integers(0, 5)), target_type="binary"),
    ]
    steps.append(draw(st.sampled_from(encoders)))
    return steps


def draw_texts(draw):
    return draw(
        st.sampled_from(
            [
                [CountVectorizer()],
                [CountVectorizer(min_df=2, binary=True)],
                [TfidfVectorizer()],
                [CountVectorizer(ngram_range=(1, 2)), TfidfTransformer(norm=None)],
                [CountVectorizer(), TfidfTransformer(sublinear_tf=True)],
            ]
        )
    )


def chain(steps):
    """Return one step as it is and several as a pipeline of their own."""
    if len(steps) == 1:
        return steps[0]
    return Pipeline([(f"s{at}", step) for at, step in enumerate(steps)])


def draw_table(draw, rng, n):
    """Draw rows of mixed columns, as a frame, and a transformer for them."""
    pd = pytest.importorskip("pandas")
    X = numbers_of(rng, n)
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    parts = []
    steps, exact = draw_numeric(draw, np.isnan(X).any())
    steps = steps or ["passthrough"]
    if draw(st.booleans()):
        union = [("one", chain(steps)), ("keep", SimpleImputer())]
        steps, exact = [FeatureUnion(union)], False
    parts.append(("numbers", chain(steps), list(frame.columns)))
    if draw(st.booleans()):
        frame["city"] = categories_of(rng, n)
        steps = draw_categorical(draw, frame["city"].isna().any())
        parts.append(("city", chain(steps), ["city"]))
    if draw(st.booleans()):
        frame["text"] = texts_of(rng, n)
        steps = draw_texts(draw)
        exact = exact and isinstance(steps[-1], CountVectorizer)
        parts.append(("text", chain(steps), "text"))
    order = draw(st.permutations(parts))
    columns = ColumnTransformer(order, sparse_threshold=draw(st.sampled_from([0.0, 0.3, 1.0])))
    return frame, columns, exact


def draw_model(draw, exact, may_be_sparse):
    models = [None, Ridge(), LogisticRegression(C=0.5)]
    if not may_be_sparse:
        models += [GaussianNB(), LinearDiscriminantAnalysis()]
        if exact:
            models += [
                UnlearningForestClassifier(n_estimators=4, max_samples=1.0, random_state=1),
                KNeighborsClassifier(1),
            ]
    return draw(st.sampled_from(models))


def outputs_of(pipe, X):
    for method in ("decision_function", "predict_proba", "predict", "transform"):
        if hasattr(pipe, method):
            return getattr(pipe, method)(X)
    raise AssertionError("nothing to compare")


def assert_close(ours, namesake, what):
    ours, namesake = (
        X.toarray() if sparse.issparse(X) else np.asarray(X) for X in (ours, namesake)
    )
    assert ours.shape == namesake.shape, what
    scale = np.nanmax(np.abs(namesake), initial=1.0)
    gap = np.abs(ours - namesake)
    assert np.all((gap <= 1e-6 * scale) | (np.isnan(ours) & np.isnan(namesake))), (what, gap.max())


def assert_law(data, pipe, X, y, ids):
    """Fit, send requests, and compare with the same pipeline fitted on the remaining rows."""

    def rows(keep):
        return X.iloc[np.flatnonzero(keep)] if hasattr(X, "iloc") else X[keep]

    try:
        pipe.fit(X, y, sample_ids=ids)
    except ValueError as refusal:
        note(f"not fitted: {refusal}")
        return
    left = list(dict.fromkeys(ids.tolist()))
    for size in data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)):
        request = [left[at] for at in data.draw(st.permutations(range(len(left))))[:size]]
        left = [i for i in left if i not in request]
        keep = np.isin(ids, left)
        again = clone(pipe)
        refusal = None
        try:
            again.fit(rows(keep), y[keep], sample_ids=ids[keep])
        except ValueError as error:
            refusal = error
        if refusal is not None or not left:
            held, before = pipe.sample_ids_, outputs_of(pipe, X)
            with pytest.raises(NotUnlearnableError):
                pipe.unlearn(request)
            assert_array_equal(pipe.sample_ids_, held)
            assert_close(outputs_of(pipe, X), before, "a refused request changed the outputs")
            return
        plan = pipe.explain_unlearn(request)
        pipe.unlearn(request)
        report = pipe.unlearning_report_
        note([(step.name, step.way) for step in report.steps])
        assert [s.way for s in plan.steps] == [s.way for s in report.steps]
        assert_array_equal(pipe.sample_ids_, ids[keep])
        for at, (name, step) in enumerate(pipe.steps):
            if at + 1 < len(pipe.steps):
                part, expected = pipe[: at + 1], again[: at + 1]
                assert_close(part.transform(rows(keep)), expected.transform(rows(keep)), name)
                assert_array_equal(
                    sparse.issparse(part.transform(X)), sparse.issparse(expected.transform(X))
                )
            for attribute in ("n_features_in_", "classes_"):
                if hasattr(again[at], attribute):
                    assert_array_equal(getattr(step, attribute), getattr(again[at], attribute))
        # Where rows have no spread, directions are as good as any other.
        seen = rows(keep) if "PCA" in classes_in(pipe) else X
        assert_close(outputs_of(pipe, seen), outputs_of(again, seen), "outputs")
        if has_twin(pipe):
            namesake = as_namesake(pipe).fit(rows(keep), y[keep])
            assert_close(
                outputs_of(pipe, seen), outputs_of(namesake, seen), "scikit-learn's outputs"
            )
        action = data.draw(st.sampled_from(["", "", "pickle", "copy", "purge"]))
        if action == "pickle":
            pipe = pickle.loads(pickle.dumps(pipe))
        elif action == "copy":
            pipe = copy.copy(pipe)
        elif action == "purge":
            pipe.purge()


def quiet(test):
    def wrapped(data):
        with warnings.catch_warnings():
            # of constant columns, narrow bins, folds without a class, separable classes
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            test(data)

    wrapped.__name__ = test.__name__
    return settings(suppress_health_check=list(HealthCheck))(given(st.data())(wrapped))


def draw_ids(data, rng, n):
    return rng.permutation(n) if data.draw(st.booleans()) else rng.integers(0, n // 2, n)


@quiet
def test_mixed_tables(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(12, 60))
    frame, columns, exact = draw_table(data.draw, rng, n)
    y = rng.integers(0, 2, n)
    steps = [("columns", columns)]
    between = [None, VarianceThreshold(), MaxAbsScaler(), Normalizer()]
    if exact:  # rounding elsewhere could decide between columns that tell the same
        between.append(SelectKBest(f_classif, k=1))
    step = data.draw(st.sampled_from(between))
    if step is not None:
        steps.append(("between", step))
        exact = exact and not isinstance(step, SelectKBest | Normalizer)
    model = draw_model(data.draw, exact, columns.sparse_threshold > 0)
    if model is not None:
        steps.append(("model", model))
    assert_law(data, Pipeline(steps), frame, y, draw_ids(data, rng, n))


@quiet
def test_tables_of_numbers(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(8, 50))
    X = numbers_of(rng, n)
    steps, exact = draw_numeric(data.draw, np.isnan(X).any())
    model = draw_model(data.draw, exact, may_be_sparse=False)
    if data.draw(st.booleans()):
        steps = [ColumnTransformer([("all", chain(steps), slice(None))])] if steps else steps
    if model is not None or not steps:
        steps.append(Ridge() if model is None else model)
    named = [(f"step{at}", step) for at, step in enumerate(steps)]
    assert_law(data, Pipeline(named), X, rng.integers(0, 2, n), draw_ids(data, rng, n))


@quiet
def test_sparse_tables(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(8, 50))
    X = sparse.random(
        n, 5, density=0.4, format="csr", random_state=int(rng.integers(2**31)), data_rvs=rng.random
    )
    steps = []
    for _ in range(data.draw(st.integers(1, 2))):
        steps.append(
            data.draw(
                st.sampled_from(
                    [
                        StandardScaler(with_mean=False),
                        MaxAbsScaler(),
                        RobustScaler(with_centering=False),
                        VarianceThreshold(),
                        SelectKBest(chi2, k=2),
                        TfidfTransformer(),
                        Normalizer(),
                    ]
                )
            )
        )
    model = data.draw(st.sampled_from([Ridge(), LogisticRegression(), MultinomialNB()]))
    named = [(f"step{at}", step) for at, step in enumerate([*steps, model])]
    assert_law(data, Pipeline(named), X, rng.integers(0, 2, n), draw_ids(data, rng, n))
