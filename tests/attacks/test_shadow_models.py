"""Shadow models: a balanced design, known seeds, and nothing kept of the rows but answers."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skunlearn.attacks import LiRA, ShadowModels
from skunlearn.naive_bayes import GaussianNB

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def table():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:200], y[:200]


TREE = DecisionTreeClassifier(max_depth=3)


def test_each_row_is_in_exactly_its_share_of_the_models(table, global_random_seed):
    X, y = table
    for n_models, fraction, n_in in ((8, 0.5, 4), (5, 0.2, 1), (6, 2 / 3, 4)):
        shadows = ShadowModels(
            GaussianNB(), n_models, sample_fraction=fraction, random_state=global_random_seed
        ).fit(X, y)
        assert shadows.in_.shape == (n_models, 200)
        assert (shadows.in_.sum(axis=0) == n_in).all()
        sizes = shadows.in_.sum(axis=1)
        assert sizes.max() - sizes.min() <= 2  # one per class
        for label in (0, 1):
            of_class = shadows.in_[:, y == label].sum(axis=1)
            assert of_class.max() - of_class.min() <= 1


def test_rows_of_an_id_and_equal_rows_are_in_models_together(table, global_random_seed):
    X, y = table
    X, y = np.concatenate([X, X[:20]]), np.concatenate([y, y[:20]])
    ids = np.arange(220)
    ids[50:60], ids[215] = 7, 7
    shadows = ShadowModels(TREE, 4, random_state=global_random_seed).fit(X, y, ids)
    inside = shadows.in_
    assert (inside[:, 200:] == inside[:, :20]).all()
    together = inside[:, [7, *range(50, 60), 215, 15]]
    assert (together == together[:, :1]).all()
    assert (inside.sum(axis=0) == 2).all()


def test_answers_are_those_of_the_models_on_their_rows(table, global_random_seed):
    X, y = table
    model = make_pipeline(StandardScaler(), LogisticRegression())
    shadows = ShadowModels(model, 4, random_state=global_random_seed).fit(X, y)
    for inside, logits in zip(shadows.in_, shadows.logits_, strict=True):
        p = clone(model).fit(X[inside], y[inside]).predict_proba(X)[np.arange(200), y]
        np.testing.assert_allclose(logits, np.log(p) - np.log1p(-p), rtol=1e-5, atol=1e-5)


def test_more_models_leave_the_others_as_they_are(table, monkeypatch):
    X, y = table
    shadows = ShadowModels(TREE, 4, random_state=3).fit(X, y)
    before = copy.deepcopy(shadows)
    fits = []
    plain = DecisionTreeClassifier.fit
    monkeypatch.setattr(
        DecisionTreeClassifier, "fit", lambda self, *a: (fits.append(1), plain(self, *a))[1]
    )
    assert shadows.more(6) is shadows
    assert len(fits) == 6
    assert shadows.n_models == len(shadows.estimators_) == 10
    np.testing.assert_array_equal(shadows.in_[:4], before.in_)
    np.testing.assert_array_equal(shadows.logits_[:4], before.logits_)
    assert (shadows.in_.sum(axis=0) == 5).all()
    assert shadows.estimators_[:4] == shadows.estimators_[:4]


def test_random_states_are_the_attackers_own_unless_asked(table):
    X, y = table
    victim = DecisionTreeClassifier(max_features=3, random_state=11)
    own = ShadowModels(victim, 4, random_state=0).fit(X, y)
    seeds = [model.random_state for model in own.estimators_]
    assert 11 not in seeds
    assert len(set(seeds)) == 4
    known = ShadowModels(victim, 4, reseed=False, random_state=0).fit(X, y)
    assert [model.random_state for model in known.estimators_] == [11] * 4
    again = ShadowModels(victim, 4, random_state=0, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(again.logits_, own.logits_)


def test_models_that_unlearn_are_kept_without_their_rows(table):
    X, y = table
    shadows = ShadowModels(GaussianNB(), 4, random_state=0).fit(X, y)
    assert not any(hasattr(model, "sample_ids_") for model in shadows.estimators_)
    bare = copy.copy(shadows)
    bare.X = bare.y = None
    assert len(pickle.dumps(bare)) < X.nbytes / 2


def test_rows_are_found_by_value(table):
    X, y = table
    shadows = ShadowModels(TREE, 4, random_state=0).fit(X, y)
    order = np.random.default_rng(0).permutation(200)
    np.testing.assert_array_equal(shadows.find(X[order]), order)
    others = X[:5] + 1.0
    assert (shadows.find(others) == -1).all()
    mixed = np.concatenate([others, X[order]])
    logits, inside = shadows.seen(mixed, np.concatenate([y[:5], y[order]]))
    assert not inside[:, :5].any()
    np.testing.assert_array_equal(inside[:, 5:], shadows.in_[:, order])
    np.testing.assert_array_equal(logits[:, 5:], shadows.logits_[:, order])
    for model, told in zip(shadows.estimators_, logits[:, :5], strict=True):
        p = np.clip(model.predict_proba(others)[np.arange(5), y[:5]], 0.25, 0.75)
        np.testing.assert_allclose(told, np.log(p) - np.log(np.maximum(1 - p, 0.25)), atol=1.2)


def test_frames_strings_and_missing_values(table):
    pd = pytest.importorskip("pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OrdinalEncoder

    X, y = table
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 18, "x", "y"), "c": X[:, 2]})
    frame.loc[::7, "c"] = np.nan
    frame.index = [f"id{i}" for i in range(200)]
    encode = make_column_transformer((OrdinalEncoder(), ["b"]), remainder="passthrough")
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=3))
    shadows = ShadowModels(model, 4, random_state=0).fit(frame, np.where(y, "yes", "no"))
    assert shadows.sample_ids_[3] == "id3"
    np.testing.assert_array_equal(shadows.find(frame.iloc[[5, 3]]), [5, 3])
    scores = (
        LiRA(shadows)
        .fit()
        .score_samples(
            clone(model).fit(frame, np.where(y, "yes", "no")), frame, np.where(y, "yes", "no")
        )
    )
    assert scores.sample_ids[7] == "id7"


def test_regressors(table):
    X, _ = table
    shadows = ShadowModels(LinearRegression(), 4, random_state=0).fit(X[:, 1:5], X[:, 0])
    assert shadows.classes_ is None
    model = shadows.estimators_[0]
    gaps = model.predict(X[:, 1:5]) - X[:, 0]
    np.testing.assert_allclose(shadows.logits_[0], -np.log(gaps**2), rtol=1e-9)


def test_bad_designs_and_bad_rows(table):
    X, y = table
    with pytest.raises(ValueError, match="whole number"):
        ShadowModels(TREE, 5).fit(X, y)
    with pytest.raises(ValueError, match="whole number"):
        ShadowModels(TREE, 8, sample_fraction=0.97).fit(X, y)
    with pytest.raises(ValueError, match="whole number"):
        ShadowModels(TREE, 4, random_state=0).fit(X, y).more(3)
    lone = y.copy()
    lone[5] = 2
    with pytest.raises(ValueError, match="Too few shadow rows: class 2 has 1 rows"):
        ShadowModels(TREE, 4).fit(X, lone)
    with pytest.raises(ValueError, match="one target per row"):
        ShadowModels(TREE, 4).fit(X, y[:-1])
    with pytest.raises(ValueError, match="200 rows"):
        ShadowModels(TREE, 4).fit(X, y, [1, 2])


def test_clones_and_pickles(table):
    X, y = table
    shadows = ShadowModels(TREE, 4, random_state=0).fit(X, y)
    assert not hasattr(clone(shadows), "in_")
    loaded = pickle.loads(pickle.dumps(shadows))
    np.testing.assert_array_equal(loaded.more(2).logits_, shadows.more(2).logits_)
