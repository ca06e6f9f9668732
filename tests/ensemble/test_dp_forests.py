"""Private forests as estimators; what they claim is attacked in tests/guarantees."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits, make_friedman1
from sklearn.model_selection import train_test_split

from skunlearn.ensemble import DPForestClassifier, DPForestRegressor
from skunlearn.ensemble._dp_forest.trees import grow, on_simplex
from skunlearn.exceptions import BudgetExhaustedError, PrivacyLeakWarning
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils import get_unlearning_tags

CLASSES = ["a", "b", "c"]
DECLARED = {"bounds": (-3, 3), "random_state": 0}
CLASSIFIER = DECLARED | {"classes": CLASSES, "n_estimators": 5, "max_depth": 3}
REGRESSOR = DECLARED | {"target_bounds": (-4, 4), "n_estimators": 5, "max_depth": 3}
EXACT = 1e6  # an epsilon at which there is no noise


def draw(rng, n=60, d=3):
    X = rng.normal(size=(n, d))
    return X, np.array(CLASSES)[rng.integers(3, size=n)], X[:, 0] + rng.normal(size=n)


def both(**changes):
    return DPForestClassifier(**CLASSIFIER | changes), DPForestRegressor(**REGRESSOR | changes)


def state(model):
    names = ("noisy_counts_", "leaf_scores_", "base_scores_", "_counts")
    return [getattr(model, name) for name in names]


def assert_same_state(left, right):
    for a, b in zip(state(left), state(right), strict=True):
        assert_array_equal(a, b)


# the trees


def descend(trees, tree, row):
    """Send one row down one tree, by the definition of the arrays."""
    node = 0
    for _ in range(trees.depth):
        feature = trees.features[tree, node]
        value, n_categories = row[feature], trees.n_categories[feature]
        if np.isnan(value) or (n_categories and value not in range(n_categories)):
            right = trees.missing_right[tree, node]
        elif n_categories:
            right = trees.category_right[tree, node, int(value)]
        else:
            right = value > trees.thresholds[tree, node]
        node = 2 * node + 1 + bool(right)
    return node - trees.n_leaves + 1


def draw_trees(rng, depth=4):
    d = 5
    n_categories = np.array([0, 4, 0, 0, 2])
    low = rng.normal(size=d)
    return grow(
        int(rng.integers(1 << 62)),
        6,
        depth,
        low,
        low + rng.random(d),
        n_categories,
        np.array([False, True, False, True, False]),
    )


@pytest.mark.fast
def test_rows_go_down_trees_as_their_definition_says(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    trees = draw_trees(rng)
    X = rng.normal(size=(200, 5))
    X[:, 1] = rng.integers(-1, 6, size=200)
    X[:, 4] = rng.choice([0.0, 1.0, 0.5, 1e9], size=200)
    assert_array_equal(
        trees.leaves(X[:, :5]), [[descend(trees, t, row) for t in range(6)] for row in X]
    )
    X[rng.random(X.shape) < 0.2] = np.nan
    brute = [[descend(trees, t, row) for t in range(6)] for row in X]
    assert_array_equal(trees.leaves(X), brute)
    narrow = X.astype(np.float32)
    brute = [[descend(trees, t, row) for t in range(6)] for row in narrow]
    assert_array_equal(trees.leaves(narrow), brute)


@pytest.mark.fast
def test_thresholds_are_in_the_middle_of_what_a_node_holds(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    low, high = -np.ones(2), np.array([1.0, 5.0])
    trees = grow(global_random_seed, 40, 6, low, high, np.zeros(2, int), np.zeros(2, bool))
    for tree in range(40):
        for leaf in range(64):
            node, cell = 0, [low.copy(), high.copy()]
            for level in range(6):
                feature, cut = trees.features[tree, node], trees.thresholds[tree, node]
                share = (cut - cell[0][feature]) / (cell[1][feature] - cell[0][feature])
                assert 0.25 <= share <= 0.75
                right = leaf >> (5 - level) & 1
                cell[1 - right][feature] = cut
                node = 2 * node + 1 + right
            inside = cell[0] + rng.uniform(0.01, 0.99, size=2) * (cell[1] - cell[0])
            assert trees.leaves(inside[None])[0, tree] == leaf
    assert 0.4 < trees.features.mean() < 0.6


@pytest.mark.fast
def test_some_splits_ask_for_missing_values_where_that_was_announced():
    trees = draw_trees(np.random.default_rng(0), depth=8)
    asks = np.isinf(trees.thresholds)
    assert set(trees.features[asks]) == {1, 3}
    assert 0.15 < asks[np.isin(trees.features, [1, 3])].mean() < 0.35
    assert trees.missing_right[asks].all()
    assert not trees.category_right[asks].any()
    assert 0.4 < trees.missing_right[~asks].mean() < 0.6


@pytest.mark.fast
def test_trees_do_not_depend_on_rows(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for few, many in zip(both(), both(), strict=True):
        X, labels, targets = draw(rng, n=7)
        few.fit(X, labels if "classes" in few.get_params() else targets)
        X, labels, targets = draw(rng, n=300)
        many.fit(10 * X, labels if "classes" in many.get_params() else targets)
        for name in ("features", "thresholds", "missing_right"):
            assert_array_equal(getattr(few.trees_, name), getattr(many.trees_, name))
        assert_array_equal(few.bounds_, many.bounds_)
        assert few.noisy_counts_.shape == many.noisy_counts_.shape


# counting, forgetting


@pytest.mark.fast
@pytest.mark.parametrize("max_samples", [0.01, 0.6, 1.0])
def test_counts_by_brute_force(max_samples, global_random_seed):
    X, labels, targets = draw(np.random.default_rng(global_random_seed))
    settings = {"max_samples": max_samples, "epsilon": EXACT}
    classifier, regressor = both(**settings)
    classifier.fit(X, labels)
    regressor.fit(X, targets)
    n_per_row = max(1, round(5 * max_samples))
    assert classifier.noisy_counts_.sum() == n_per_row * 60
    leaves = classifier.apply(X)
    assert_array_equal(leaves, classifier.trees_.leaves(X))
    if n_per_row == 5:
        share = np.rint((np.clip(targets, -4, 4) + 4) / 8 * 1024) / 1024
        for t in range(5):
            for leaf in range(8):
                here = leaves[:, t] == leaf
                wanted = [np.sum(labels[here] == c) for c in CLASSES]
                assert_array_equal(classifier.noisy_counts_[t, leaf], wanted)
                here = regressor.apply(X)[:, t] == leaf
                wanted = [np.sum(1 - share[here]), np.sum(share[here])]
                assert_array_equal(regressor.noisy_counts_[t, leaf], wanted)


@pytest.mark.fast
def test_a_row_stays_in_its_trees_whatever_else_is_there(global_random_seed):
    """Compare the counts with and without a row: it changes as many by one as it has trees."""
    X, labels, _ = draw(np.random.default_rng(global_random_seed))
    ids = np.arange(1000, 1060)
    for max_samples, n_per_row in ((0.01, 1), (0.4, 2), (1.0, 5)):
        model, _ = both(max_samples=max_samples)
        whole = model.fit(X, labels, sample_ids=ids)._counts.copy()
        for row in (0, 31):
            kept = np.arange(60) != row
            less = model.fit(X[kept], labels[kept], sample_ids=ids[kept])._counts
            assert_array_equal(np.sort((whole - less).ravel())[-n_per_row:], 1)
            assert np.abs(whole - less).sum() == n_per_row


@pytest.mark.filterwarnings("ignore::skunlearn.exceptions.PrivacyLeakWarning")
def test_bounds_read_from_rows_do_not_tell_zeros_apart():
    X, y = np.array([[0.0], [-0.0], [1.0], [2.0]]), np.array([0.0, -0.0, 1.0, 2.0])
    for model, targets in zip(both(), (np.array(list("aabb")), y), strict=True):
        names = ("bounds", "classes", "target_bounds")
        model.set_params(**{name: None for name in names if name in model.get_params()})
        seen = set()
        for order in ([0, 1, 2, 3], [1, 0, 2, 3], [3, 2, 0, 1], [3, 2, 1, 0]):
            model.fit(X[order], targets[order], sample_ids=order)
            seen.add((model.bounds_.tobytes(), model.noisy_counts_.tobytes()))
        assert len(seen) == 1


@given(
    data=st.data(),
    max_samples=st.sampled_from([0.1, 0.5, 1.0]),
    declared=st.booleans(),
    regression=st.booleans(),
)
@pytest.mark.filterwarnings("ignore::skunlearn.exceptions.PrivacyLeakWarning")
def test_the_law(data, max_samples, declared, regression):
    """With the same key the state and even the release are those of retraining, bit for bit."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    X, labels, targets = draw(rng, n=30)
    X[rng.random(X.shape) < 0.1] = np.nan
    X = np.round(X, data.draw(st.integers(0, 2)))
    ids = rng.permutation(25)[rng.integers(25, size=30)]
    held = np.unique(ids).tolist()
    gone = data.draw(st.lists(st.sampled_from(held), unique=True, max_size=len(held) - 1))
    cut = data.draw(st.integers(0, len(gone)))
    model = both(max_samples=max_samples)[regression]
    if not declared:
        model.set_params(bounds=None, **{"target_bounds" if regression else "classes": None})
    y = targets if regression else labels
    kept = np.flatnonzero(~np.isin(ids, gone))
    again = DPForestRegressor() if regression else DPForestClassifier()
    again.set_params(**model.get_params())
    shuffled = rng.permutation(kept)
    again.fit(X[shuffled], y[shuffled], sample_ids=ids[shuffled])
    model.fit(X, y, sample_ids=ids).unlearn(gone[:cut]).unlearn(gone[cut:])
    assert_same_state(model, again)
    assert_array_equal(model.trees_.thresholds, again.trees_.thresholds)
    assert_array_equal(model.predict(X), again.predict(X))
    n_requests = (cut > 0) + (cut < len(gone))
    assert model.n_releases_ == 1 + n_requests
    if n_requests:
        guarantee = model.unlearning_report_.guarantee
        assert (guarantee.kind, guarantee.scope) == ("certified", "state")
        assert (guarantee.epsilon, guarantee.delta) == (0.0, 0.0)


@pytest.mark.fast
def test_classes_that_were_declared_stay_and_others_vanish():
    X, labels, _ = draw(np.random.default_rng(0))
    model, _ = both()
    gone = np.flatnonzero(labels == "b")
    assert model.fit(X, labels).unlearn(gone).classes_.tolist() == CLASSES
    assert model.unlearning_report_.n_refitted == 0
    assert_array_equal(model._counts[..., 1], 0)
    with pytest.warns(PrivacyLeakWarning, match="classes was not declared"):
        model.set_params(classes=None).fit(X, labels)
    assert model.unlearn(gone).classes_.tolist() == ["a", "c"]
    assert model.unlearning_report_.n_refitted == 5
    one = DPForestClassifier(**CLASSIFIER | {"classes": ["x"]}).fit(X, ["x"] * 60)
    assert set(one.predict(X)) == {"x"}


@pytest.mark.fast
def test_parameters_changed_after_fit_do_not_change_a_fitted_model():
    X, labels, _ = draw(np.random.default_rng(0))
    model, again = both()[0], both()[0]
    model.fit(X, labels)
    model.set_params(bounds=(0, 1), classes=["z"], epsilon=9.0, removal_epsilon=99.0, max_depth=1)
    model.unlearn([3, 5])
    kept = np.delete(np.arange(60), [3, 5])
    assert_same_state(model, again.fit(X[kept], labels[kept], sample_ids=kept))
    assert model.budget_spent_ == 2.0
    assert get_unlearning_tags(model).scope == "state"


# noise, account


@pytest.mark.fast
def test_noise_is_fresh_for_other_counts_and_the_same_for_the_same():
    X, labels, targets = draw(np.random.default_rng(0))
    for model, y in zip(both(epsilon=0.1), (labels, targets), strict=True):
        noises = []
        model.fit(X, y)
        for row in range(5):
            noises.append((model.noisy_counts_ - model._counts / model._unit).ravel())
            model.unlearn(row)
        correlations = np.corrcoef(noises) - np.eye(5)
        assert np.abs(correlations).max() < 0.6
        assert 10 < np.std(noises) < 200  # the noise of five trees to a row at 0.1 is 50 sqrt(2)
        scale = np.std(noises)
        model.set_params(epsilon=1.0).fit(X, y)
        less = (model.noisy_counts_ - model._counts / model._unit).ravel()
        assert abs(np.corrcoef(less, noises[0])[0, 1]) < 0.6
        assert 5 < scale / less.std() < 20
    keys = [both(random_state=None)[0].fit(X, labels)._seed for _ in range(2)]
    assert keys[0] != keys[1]


@pytest.mark.fast
def test_the_account_of_releases():
    X, labels, targets = draw(np.random.default_rng(0))
    for model, y in zip(both(epsilon=0.1, total_epsilon=0.3), (labels, targets), strict=True):
        model.fit(X, y)
        assert (model.n_releases_, model.requests_until_refit_) == (1, 2)
        model.unlearn(4).unlearn([])
        assert model.budget_spent_ == pytest.approx(0.2)
        assert model.budget_left_ == pytest.approx(0.1)
        model.unlearn([5, 6])
        assert (model.n_releases_, model.requests_until_refit_) == (3, 0)
        before = pickle.dumps(model)
        with pytest.raises(BudgetExhaustedError, match="Nothing was changed"):
            model.unlearn(7)
        assert pickle.dumps(model) == before
        assert model.fit(X, y).n_releases_ == 1
    unlimited = both()[0].fit(X, labels)
    assert unlimited.budget_left_ == unlimited.requests_until_refit_ == np.inf
    for name in ("budget_spent_", "budget_left_", "requests_until_refit_"):
        assert not hasattr(both()[0], name)
        assert not hasattr(unlimited.to_predictor(), name)


@pytest.mark.fast
def test_a_release_may_go_on_to_cover_removed_rows():
    X, labels, _ = draw(np.random.default_rng(0))
    model, again = (both(removal_epsilon=2.0, total_epsilon=3.0)[0] for _ in range(2))
    published = model.fit(X, labels).noisy_counts_.copy()
    assert get_unlearning_tags(model).scope == "output"
    assert model.requests_until_refit_ == 2 + 2 * 3
    for n_gone in (1, 2):
        guarantee = model.unlearn(n_gone).unlearning_report_.guarantee
        assert (guarantee.scope, guarantee.epsilon) == ("output", float(n_gone))
        assert_array_equal(model.noisy_counts_, published)
        assert model.n_releases_ == 1
    assert model.requests_until_refit_ == 6
    kept = np.delete(np.arange(60), [1, 2])
    again.fit(X[kept], labels[kept], sample_ids=kept)
    assert_array_equal(model._counts, again._counts)
    assert model.release() is model
    assert_same_state(model, again)
    assert (model.n_releases_, model.requests_until_refit_) == (2, 2 + 3)
    assert_array_equal(model.release().noisy_counts_, again.noisy_counts_)
    assert model.n_releases_ == 2
    model.unlearn([4, 5, 6])
    assert model.unlearning_report_.guarantee.epsilon == 0.0
    model.unlearn([7, 8])
    with pytest.raises(BudgetExhaustedError):
        model.unlearn(9)
    with pytest.raises(BudgetExhaustedError):
        model.release()


@pytest.mark.fast
def test_a_pipeline_that_refits_goes_on_with_the_account():
    X, labels, _ = draw(np.random.default_rng(0))
    model = make_pipeline(StandardScaler(), both(total_epsilon=2.0)[0]).fit(X, labels)
    key = model[-1]._seed
    model.unlearn([4])
    assert model[-1].n_releases_ == 2
    assert model[-1]._seed == key
    with pytest.raises(BudgetExhaustedError):
        model.unlearn([5])
    assert model[-1].n_releases_ == 2


@pytest.mark.fast
def test_what_is_published_has_no_key():
    X, labels, targets = draw(np.random.default_rng(0))
    for model, y in zip(both(random_state=3), (labels, targets), strict=True):
        predictor = model.fit(X, y).to_predictor()
        assert predictor.random_state is None
        assert not [name for name in vars(predictor) if name.startswith("_")]
        assert model._seed not in pickle.dumps(predictor)
        assert_array_equal(predictor.predict(X), model.predict(X))


# what is declared


@pytest.mark.fast
def test_reading_from_the_rows_warns_where_the_user_called(global_random_seed):
    X, labels, targets = draw(np.random.default_rng(global_random_seed))
    classifier, regressor = both()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.fit(X, labels, sample_ids="row numbers").unlearn(3)
        regressor.fit(X, targets, sample_ids="row numbers").unlearn(3)
    for model, y, names in (
        (classifier, labels, ["bounds", "classes"]),
        (regressor, targets, ["bounds", "target_bounds"]),
    ):
        with pytest.warns(PrivacyLeakWarning) as caught:
            model.set_params(**dict.fromkeys(names)).fit(X, y)
        assert [str(w.message).split()[0] for w in caught] == names
        assert {w.filename for w in caught} == {__file__}
        assert_array_equal(model.bounds_, [X.min(axis=0), X.max(axis=0)])


@pytest.mark.fast
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bounds": (0, 1, 2)}, "bounds must be a pair"),
        ({"bounds": (0, [1, 2])}, "bounds must be a pair"),
        ({"bounds": 3}, "bounds"),
        ({"bounds": (1, 0)}, "none of the lower above"),
        ({"bounds": (0, np.inf)}, "must be finite"),
        ({"categories": {9: 2}}, "neither the number nor the name"),
        ({"categories": {0: 0}}, "not a positive integer"),
        ({"missing_features": ["x"]}, "neither the number nor the name"),
        ({"total_epsilon": 0.5}, "covers no release"),
        ({"epsilon": 0.0}, "epsilon"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    X, labels, targets = draw(np.random.default_rng(0))
    for model, y in zip(both(**changes), (labels, targets), strict=True):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y)


@pytest.mark.fast
def test_targets_that_were_not_declared():
    X, labels, targets = draw(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"not among classes: \['c'\]"):
        DPForestClassifier(**CLASSIFIER | {"classes": ["a", "b"]}).fit(X, labels)
    for bounds in ((1, 1), (0, np.nan), (0, 1, 2), (5, 4)):
        with pytest.raises(ValueError, match="target_bounds must be two finite numbers"):
            DPForestRegressor(**REGRESSOR | {"target_bounds": bounds}).fit(X, targets)
    model = DPForestRegressor(**REGRESSOR | {"target_bounds": (-0.5, 0.5)})
    outside = model.fit(X, targets).predict(100 * X)
    assert np.abs(outside).max() <= 0.5
    clipped = model.noisy_counts_
    assert_array_equal(clipped, model.fit(X, np.clip(targets, -0.5, 0.5)).noisy_counts_)


@pytest.mark.fast
def test_categories_and_missing_values_by_name(global_random_seed):
    """Labels depend on a category and on whether a value is missing, and on nothing else."""
    rng = np.random.default_rng(global_random_seed)
    code = rng.integers(6, size=3000)
    frame = pd.DataFrame({"code": code.astype(float), "hole": rng.normal(size=3000)})
    frame.loc[rng.random(3000) < 0.5, "hole"] = np.nan
    y = (np.isin(code, [1, 4]) ^ frame["hole"].isna()).astype(int)
    shared = {"bounds": (-3, 3), "classes": [0, 1], "random_state": global_random_seed}
    blind = DPForestClassifier(epsilon=10.0, **shared).fit(frame, y)
    model = DPForestClassifier(
        epsilon=10.0, max_depth=5, categories={"code": 6}, missing_features=["hole"], **shared
    ).fit(frame, y)
    assert model.score(frame, y) > max(0.8, blind.score(frame, y) - 0.05)
    strange = frame.iloc[:4].copy()
    strange["code"] = [np.nan, -1.0, 6.0, 2.5]
    strange["hole"] = 0.0
    assert len(set(map(tuple, model.predict_proba(strange)))) == 1


# predictions


@pytest.mark.fast
def test_projection_to_the_simplex_by_its_optimality(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    table = rng.normal(size=(50, 3, 7)) * 10 ** rng.uniform(-1, 2, size=(50, 1, 1))
    total = 10 ** rng.uniform(0, 3, size=(50, 3))
    found = on_simplex(table, total)
    assert_allclose(found.sum(axis=-1), total, rtol=1e-12)
    assert (found >= 0).all()
    # what is positive is moved by the same amount, and nothing is moved by more than that
    shift = table - found
    common = np.where(found > 0, shift, -np.inf).max(axis=-1, keepdims=True)
    assert_allclose(np.where(found > 0, shift, common), np.broadcast_to(common, shift.shape))
    assert (shift <= common + 1e-9).all()


@pytest.mark.fast
def test_predictions_follow_from_what_is_published(global_random_seed):
    X, labels, targets = draw(np.random.default_rng(global_random_seed), n=500)
    classifier, regressor = both(epsilon=5.0)
    leaves = classifier.fit(X, labels).apply(X)
    sums = sum(classifier.leaf_scores_[t, leaves[:, t]] for t in range(5))
    odds = np.exp(sums + classifier.base_scores_)
    assert_allclose(classifier.predict_proba(X), odds / odds.sum(axis=1, keepdims=True))
    assert_allclose(np.exp(classifier.predict_log_proba(X)), classifier.predict_proba(X))
    assert_array_equal(classifier.predict(X), np.array(CLASSES)[odds.argmax(axis=1)])
    leaves = regressor.fit(X, targets).apply(X)
    sums = sum(regressor.leaf_scores_[t, leaves[:, t], 0] for t in range(5))
    assert_allclose(regressor.predict(X), np.clip(sums + regressor.base_scores_, -4, 4))


@pytest.mark.parametrize("seed_offset", [0, 100])
def test_accuracy_on_real_tables(seed_offset, global_random_seed):
    seed = global_random_seed + seed_offset
    X, y = load_breast_cancer(return_X_y=True)
    digits, number = load_digits(return_X_y=True)
    for table, target, bounds, least in (
        (X, y, (X.min(axis=0), X.max(axis=0)), (0.75, 0.87)),
        (digits, number, (0, 16), (0.5, 0.74)),
    ):
        parts = train_test_split(table, target, random_state=seed, stratify=target)
        for epsilon, accuracy in zip((1.0, 10.0), least, strict=True):
            model = DPForestClassifier(
                epsilon=epsilon, bounds=bounds, classes=np.unique(target), random_state=seed
            ).fit(parts[0], parts[2])
            assert model.unlearn(np.arange(5)).score(parts[1], parts[3]) > accuracy
    X, y = make_friedman1(8000, 6, noise=1.0, random_state=seed)
    for epsilon, least_r2 in ((1.0, 0.25), (10.0, 0.3)):
        model = DPForestRegressor(
            epsilon=epsilon, bounds=(0, 1), target_bounds=(0, 30), random_state=seed
        )
        assert model.fit(X[:6000], y[:6000]).score(X[6000:], y[6000:]) > least_r2
