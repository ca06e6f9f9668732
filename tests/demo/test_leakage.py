import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skunlearn._demo._answers import labels_only, posterior, row_loss, score
from skunlearn._demo._leakage import (
    SortedDifferenceAttack,
    Versions,
    join,
    shadow_versions,
    sorted_difference,
    true_label_difference,
    watch_on_copies,
    watch_requests,
)
from skunlearn._demo._table import split_table

pytestmark = pytest.mark.fast


@pytest.fixture
def fitted(make_table):
    def fit(contender, **options):
        table = make_table(**options)
        split = split_table(table, 0)
        rows = split.train
        model = contender.make().fit(table.X[rows], table.y[rows], sample_ids=table.ids[rows])
        return table, split, model

    return fit


def test_deleting_a_row_always_raises_its_squared_error(fitted, ridge, seed):
    table, split, model = fitted(ridge, n_classes=0, seed=seed)
    versions = watch_requests(model, table, split.singles, split.never_seen[:10])
    scores = true_label_difference(versions, squared=True)
    assert np.all(scores[versions.forgotten] > 0)
    assert versions.auc_of(scores).value > 0.6
    assert versions.n_train == split.train.size


def test_answers_are_those_of_the_versions_around_each_request(fitted, ridge):
    table, split, model = fitted(ridge, n_classes=0)
    ids = split.singles[:3]
    seconds = []
    versions = watch_requests(
        model, table, ids, split.never_seen[:3], after_each=lambda n, s: seconds.append((n, s))
    )
    rows = split.train
    for number, value in enumerate(ids):
        for answers, gone in ((versions.before, ids[:number]), (versions.after, ids[: number + 1])):
            kept = rows[~np.isin(table.ids[rows], gone)]
            other = ridge.make().fit(table.X[kept], table.y[kept])
            pair = [table.row_of[value], split.never_seen[number]]
            expected = other.predict(table.X[pair])
            np.testing.assert_allclose(answers[2 * number : 2 * number + 2, 0], expected)
            np.testing.assert_array_equal(versions.y[2 * number : 2 * number + 2], table.y[pair])
    assert [number for number, _ in seconds] == [0, 1, 2]
    assert all(s > 0 for _, s in seconds)


def test_copies_leave_the_model_alone_and_lose_few_rows(fitted, ridge):
    table, split, model = fitted(ridge)
    held = model.sample_ids_.copy()
    parts = watch_on_copies(model, table, split.singles + split.batch, split.never_seen[:15])
    assert len(parts) == 3
    assert {part.n_train for part in parts} == {held.size}
    np.testing.assert_array_equal(model.sample_ids_, held)
    assert join(parts).forgotten.sum() == 15


def test_no_op_leaks_nothing_between_versions(fitted, no_op):
    table, split, model = fitted(no_op)
    versions = watch_requests(model, table, split.singles, split.never_seen[:10])
    np.testing.assert_array_equal(versions.before, versions.after)
    found = versions.auc_of(true_label_difference(versions, squared=True))
    assert (found.value, found.ties) == (0.5, 1)


def test_true_label_difference_of_probabilities():
    versions = _versions([[0.2, 0.8], [0.6, 0.4]], [[0.3, 0.7], [0.5, 0.5]], [1, 1])
    np.testing.assert_allclose(true_label_difference(versions, squared=False), [0.1, -0.1])


def test_sorted_difference_uses_the_order_of_the_older_answers():
    versions = _versions([[0.2, 0.5, 0.3]], [[0.4, 0.4, 0.2]], [0])
    features = sorted_difference(versions)
    assert np.sign(features).tolist() == [[-1, 1, 1]]
    np.testing.assert_allclose(np.abs(features) ** 8, [[20, 10, 10]])
    larger = Versions(versions.before, versions.after, versions.y, versions.forgotten, 1000)
    np.testing.assert_allclose(sorted_difference(larger) ** 8, 10 * features**8)


def test_differences_of_nothing_and_of_next_to_nothing_stay_finite():
    versions = _versions([[1.0, 5e-324], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]], [0, 0])
    features = sorted_difference(versions)
    assert np.isfinite(features).all()
    assert not features[1].any()


def _versions(before, after, y):
    forgotten = np.arange(len(y)) % 2 == 0
    return Versions(np.array(before), np.array(after), np.array(y), forgotten, 100)


def test_trained_attack_beats_guessing_on_ridge(fitted, ridge, seed):
    table, split, model = fitted(ridge, n=800, seed=seed)
    n = 120
    ids = (split.singles + split.batch + split.extra)[:n]
    versions = join(watch_on_copies(model, table, ids, split.never_seen[:n]))
    shadow = shadow_versions(ridge.make, table, split.attacker, np.random.default_rng(seed))
    attack = SortedDifferenceAttack().fit(shadow)
    found = versions.auc_of(attack.score_samples(versions))
    assert found.value > 0.5 + 2 * found.error


def test_any_classifier_attacks():
    versions = _versions([[0.2, 0.8], [0.6, 0.4]] * 9, [[0.3, 0.7], [0.5, 0.5]] * 9, [1, 1] * 9)
    attack = SortedDifferenceAttack(LogisticRegression()).fit(versions)
    assert isinstance(attack.attack_[-1], LogisticRegression)
    assert versions.auc_of(attack.score_samples(versions)).value == 0.5


def test_shadows_use_the_attackers_rows_only(make_table):
    table = make_table()
    rows = split_table(table, 0).attacker
    seen = []

    class Spy:
        def fit(self, X, y, sample_ids):
            seen.append(np.isin(sample_ids, table.ids[rows]).all())
            raise StopIteration

    with pytest.raises(StopIteration):
        shadow_versions(Spy, table, rows, np.random.default_rng(0))
    assert seen == [True]


def test_labels_only_keeps_the_predicted_label():
    answers = np.array([[0.2, 0.8], [0.9, 0.1]])
    np.testing.assert_array_equal(labels_only(answers), [[0, 1], [1, 0]])


def test_answers_of_a_classifier_that_lost_a_class(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2 * 2
    answers = posterior(LogisticRegression().fit(X, y), X, 3)
    assert answers.shape == (20, 3)
    assert not answers[:, 1].any()
    assert score(answers, y) == np.mean(answers.argmax(axis=1) == y)
    loss = row_loss(answers, np.ones(20, dtype=int), squared=False)
    assert np.isfinite(loss).all()
    assert loss.min() > 100


def test_losses_by_hand():
    answers = np.array([[0.25, 0.75]])
    assert row_loss(answers, np.array([1]), squared=False) == pytest.approx(-np.log(0.75))
    assert row_loss(answers, np.array([1]), squared=True) == pytest.approx(0.0625)
    assert row_loss(np.array([[3.0]]), np.array([1.0]), squared=True) == pytest.approx(4)
