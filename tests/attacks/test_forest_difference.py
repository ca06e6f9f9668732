"""The deleted row read off two versions: brute force over trees, and what forests must show."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from skunlearn.attacks import ForestDifference
from skunlearn.attacks._tree_view import trees_of, values_of
from skunlearn.ensemble import UnlearningForestClassifier, UnlearningForestRegressor

pytestmark = pytest.mark.fast


def draw(seed, n=400):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=n) > 0).astype(int)


def mixed(seed, n=400):
    pd = pytest.importorskip("pandas")
    X, y = draw(seed, n)
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(X[:, :4]).rename(columns=str)
    frame.iloc[rng.random(n) < 0.2, 1] = np.nan
    frame["word"] = pd.Categorical(np.array(["a", "b", "c", "d"])[rng.integers(0, 4, n)])
    frame.loc[rng.random(n) < 0.1, "word"] = np.nan
    return frame, y


@pytest.mark.parametrize("make", [draw, mixed])
def test_trees_are_read_as_they_predict(make, global_random_seed):
    X, y = make(global_random_seed)
    forest = UnlearningForestClassifier(5, random_state=global_random_seed).fit(X, y)
    values, leaves = values_of(forest, X), forest.apply(X)
    for tree, expected in zip(trees_of(forest.to_predictor()), leaves.T, strict=True):
        found = np.zeros(len(y), dtype=int)
        stack = [(0, np.arange(len(y)))]
        while stack:
            node, rows = stack.pop()
            if tree.feature[node] < 0:
                found[rows] = node
                continue
            left = tree.goes_left(node, values[rows, tree.feature[node]])
            stack += [(tree.left[node], rows[left]), (tree.right[node], rows[~left])]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("make", [draw, mixed])
@pytest.mark.parametrize("known", [False, True])
def test_the_deleted_row_is_always_on_the_paths(make, known, global_random_seed):
    X, y = make(global_random_seed)
    forest = UnlearningForestClassifier(30, random_state=global_random_seed)
    before = forest.fit(X, y, sample_ids="row numbers").to_predictor()
    ranks = []
    for row in np.random.default_rng(global_random_seed).permutation(400)[:20].tolist():
        after = forest.unlearn(row).to_predictor()
        scores = ForestDifference().score_samples(before, after, X, y if known else None)
        assert scores[row] == 1.0
        ranks.append((scores >= 1.0).sum())
        before = after
    assert np.median(ranks) <= 10


def test_several_rows_at_once(global_random_seed):
    X, y = draw(global_random_seed)
    forest = UnlearningForestClassifier(30, random_state=global_random_seed)
    before = forest.fit(X, y, sample_ids=np.arange(400)).to_predictor()
    gone = [3, 50, 200]
    after = forest.unlearn(gone).to_predictor()
    scores = ForestDifference().score_samples(before, after, X, y)
    assert roc_auc_score(np.isin(np.arange(400), gone), scores) > 0.85
    with pytest.raises(ValueError, match=r"lacks [23] rows or more"):
        ForestDifference().reconstruct(before, after)


def test_the_box_holds_the_row(global_random_seed):
    X, y = draw(global_random_seed)
    labels = np.array(["no", "yes"])[y]
    forest = UnlearningForestClassifier(60, random_state=global_random_seed)
    before = forest.fit(X, labels, sample_ids="row numbers").to_predictor()
    errors, guesses = [], []
    for row in range(10):
        after = forest.unlearn(row).to_predictor()
        box = ForestDifference().reconstruct(before, after)
        assert ((box.low < X[row]) & (X[row] <= box.high)).all()
        assert (box.y, box.n_trees) == (labels[row], 12)
        errors.append(np.abs(box.estimate(X) - X[row]))
        guesses.append(np.abs(np.median(X, axis=0) - X[row]))
        before = after
    assert np.mean(errors) < 0.7 * np.mean(guesses)


def test_regressors_and_stock_trees(global_random_seed):
    X, y = draw(global_random_seed)
    forest = UnlearningForestRegressor(20, random_state=0).fit(X, X[:, 0], sample_ids="row numbers")
    before, after = forest.to_predictor(), forest.unlearn(7).to_predictor()
    attack = ForestDifference().fit()
    assert attack.score_samples(before, after, X)[7] == 1.0
    assert attack.reconstruct(before, after).y is None
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    kept = np.arange(400) != 7
    before, after = (
        tree.fit(X, y),
        DecisionTreeClassifier(**tree.get_params()).fit(X[kept], y[kept]),
    )
    scores = attack.score_samples(before, after, X, y)
    assert scores[7] == 1.0
    assert (scores == 1.0).sum() < 300


def test_bad_versions():
    X, y = draw(0)
    forest = UnlearningForestClassifier(5, random_state=0).fit(X, y, sample_ids="row numbers")
    with pytest.raises(ValueError, match="No tree of the second version"):
        ForestDifference().reconstruct(forest, forest)
    with pytest.raises(ValueError, match="5 and 6 trees"):
        ForestDifference().score_samples(forest, UnlearningForestClassifier(6).fit(X, y), X)
    with pytest.raises(TypeError, match="cannot be read"):
        ForestDifference().score_samples(LogisticRegression().fit(X, y), forest, X)
    stock = RandomForestClassifier(5, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="No tree"):
        ForestDifference().score_samples(stock, stock, X)
