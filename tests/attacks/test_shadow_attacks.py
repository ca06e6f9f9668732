"""LOSS, LiRA and RMIA: formulas by hand, power on what leaks, and none on what does not."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skunlearn.attacks import RMIA, LiRA, LossAttack, ShadowModels, membership_result
from skunlearn.attacks._answers import BY_PREDICTION, FROM_LABELS, FROM_SCORES
from skunlearn.exceptions import DistributionShiftWarning

pytestmark = pytest.mark.fast

TREE = DecisionTreeClassifier(min_samples_leaf=2, max_features=5)
ATTACKS = {
    "loss": LossAttack(),
    "lira": LiRA(),
    "lira pooled": LiRA(variance="pooled"),
    "lira per row": LiRA(variance="per_row"),
    "lira offline": LiRA(mode="offline"),
    "lira offline pooled": LiRA(mode="offline", variance="pooled"),
    "rmia": RMIA(),
    "rmia online": RMIA(mode="online"),
}


@pytest.fixture(scope="module")
def table():
    X, y = load_breast_cancer(return_X_y=True)
    wrong = np.random.default_rng(0).random(y.size) < 0.15  # which can only be known by heart
    return X, np.where(wrong, 1 - y, y)


@pytest.fixture(scope="module")
def shadows(table):
    return ShadowModels(TREE, 8, random_state=0).fit(*table)


def with_shadows(attack, shadows):
    attack = clone(attack)
    return attack if isinstance(attack, LossAttack) else attack.set_params(shadow_models=shadows)


@pytest.mark.parametrize("name", ATTACKS)
def test_members_score_higher(name, table, shadows, global_random_seed):
    X, y = table
    truth = np.random.default_rng(global_random_seed).permutation(len(y)) < len(y) // 2
    victim = clone(TREE).set_params(random_state=global_random_seed + 1000).fit(X[truth], y[truth])
    attack = with_shadows(ATTACKS[name], shadows).fit()
    result = attack.evaluate(victim, X, y, truth, fpr=(0.1,))
    assert result.auc_interval[0] > 0.5
    assert result.p_value == 0.001
    assert result.n_members == truth.sum()


def test_loss_is_the_log_loss(table):
    X, y = table
    victim = LogisticRegression(max_iter=10_000).fit(X[::2], y[::2])
    scores = LossAttack().score_samples(victim, X, y)
    assert log_loss(y, victim.predict_proba(X)) == pytest.approx(-scores.mean())
    X, y = load_diabetes(return_X_y=True)
    victim = Ridge().fit(X, y)
    np.testing.assert_allclose(
        LossAttack().score_samples(victim, X, y), -((victim.predict(X) - y) ** 2)
    )


def moments(logits, chosen):
    return np.array([np.mean(column[own]) for column, own in zip(logits.T, chosen.T, strict=True)])


def victim_of(table):
    X, y = table
    return clone(TREE).set_params(random_state=77).fit(X[::2], y[::2])


def logits_of(victim, X, y):
    p = victim.predict_proba(X)
    own = p[np.arange(len(y)), y]
    return np.log(np.maximum(own, 0.25)) - np.log(np.maximum(1 - own, 0.25))


def test_lira_by_hand(table, shadows):
    X, y = table
    victim = victim_of(table)
    phi, logits, inside = logits_of(victim, X, y), shadows.logits_, shadows.in_
    mean_in, mean_out = moments(logits, inside), moments(logits, ~inside)
    pooled = [
        ((np.where(own, logits - mean, 0) ** 2).sum() / (own.sum() - len(y)))
        for own, mean in ((inside, mean_in), (~inside, mean_out))
    ]
    expected = stats.norm.logpdf(phi, mean_in, np.sqrt(pooled[0]))
    expected -= stats.norm.logpdf(phi, mean_out, np.sqrt(pooled[1]))
    scores = LiRA(shadows, variance="pooled").fit().score_samples(victim, X, y)
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-9)
    offline = LiRA(shadows, mode="offline", variance="pooled").fit().score_samples(victim, X, y)
    expected = -stats.norm.logsf((phi - mean_out) / np.sqrt(pooled[1]))
    np.testing.assert_allclose(offline, expected, rtol=1e-9)


def test_rmia_by_hand(table, shadows):
    X, y = table
    victim = victim_of(table)

    def chance(phi):
        return 1.0 / (1.0 + np.exp(-phi))

    own = chance(logits_of(victim, X, y))
    p, inside = chance(shadows.logits_), shadows.in_
    out = moments(p, ~inside)
    for mode, average in (
        ("offline", (1.3 * out + 0.7) / 2),
        ("online", (out + moments(p, inside)) / 2),
    ):
        ratio = np.round(np.log(own / average), 11)
        expected = [(np.sum(ratio < r) + np.sum(ratio <= r)) / (2 * len(y)) for r in ratio]
        scores = RMIA(shadows, mode=mode).fit().score_samples(victim, X, y)
        np.testing.assert_allclose(scores, expected, atol=1e-12)


def test_rows_elsewhere_are_scored_offline(table, shadows):
    X, y = table
    victim = victim_of(table)
    others = X + 1e-3
    for attack in (LiRA(shadows, mode="offline"), RMIA(shadows), RMIA(shadows, mode="online")):
        assert attack.fit().score_samples(victim, others, y).shape == y.shape
    with pytest.raises(ValueError, match="569 rows are in no shadow model"):
        LiRA(shadows).fit().score_samples(victim, others, y)


def test_a_row_in_every_model_is_refused(table, shadows):
    X, y = table
    every = pickle.loads(pickle.dumps(shadows))
    every.in_[:, 3] = True
    with pytest.raises(ValueError, match="1 rows have no shadow model"):
        RMIA(every).fit().score_samples(victim_of(table), X, y)


def test_probabilities_are_calibrated(table, shadows, global_random_seed):
    X, y = table
    truth = np.random.default_rng(global_random_seed).permutation(len(y)) < len(y) // 2
    victim = clone(TREE).set_params(random_state=global_random_seed + 1000).fit(X[truth], y[truth])
    for attack in (LiRA(shadows), RMIA(shadows)):
        p = attack.fit().predict_proba(victim, X, y)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        sure = p[:, 1] > 0.6
        assert abs(truth[sure].mean() - p[sure, 1].mean()) < 0.15
        assert abs(truth[~sure].mean() - p[~sure, 1].mean()) < 0.15


def test_without_labels_the_predicted_ones_are_taken(table, shadows):
    X, victim = table[0], victim_of(table)
    for attack in (LossAttack(), RMIA(shadows).fit()):
        scores = attack.score_samples(victim, X)
        assert scores.assumptions == (BY_PREDICTION,)
        np.testing.assert_array_equal(scores, attack.score_samples(victim, X, victim.predict(X)))


def test_victims_without_probabilities(table):
    X, y = table
    for victim, note in ((SVC(), FROM_SCORES), (LinearSVC(), FROM_SCORES)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            victim.fit(X, y)
        scores = LossAttack().score_samples(victim, X, y)
        assert scores.assumptions == (note,)
        np.testing.assert_allclose(
            np.exp(scores[y == 1]), 1 / (1 + np.exp(-victim.decision_function(X[y == 1])))
        )

    class Labels(DecisionTreeClassifier):
        @property
        def predict_proba(self):
            raise AttributeError("labels only")

    victim = Labels().fit(X[:100], y[:100])
    scores = LossAttack().score_samples(victim, X, y)
    assert scores.assumptions == (FROM_LABELS,)
    np.testing.assert_array_equal(scores == 0.0, victim.predict(X) == y)


def test_regressors():
    X, y = load_diabetes(return_X_y=True)
    model = DecisionTreeRegressor(min_samples_leaf=2, max_features=3)
    shadows = ShadowModels(model, 8, random_state=0).fit(X, y)
    truth = np.arange(len(y)) % 2 == 0
    victim = clone(model).set_params(random_state=5).fit(X[truth], y[truth])
    for name in ATTACKS:
        attack = with_shadows(ATTACKS[name], shadows).fit()
        assert roc_auc_score(truth, attack.score_samples(victim, X, y)) > 0.6, name
    with pytest.raises(ValueError, match="pass y"):
        RMIA(shadows).fit().score_samples(victim, X)


def test_bad_victims_and_bad_rows(table, shadows):
    pd = pytest.importorskip("pandas")
    X, y = table
    attack = RMIA(shadows).fit()
    with pytest.raises(ValueError, match="fitted on 3 columns; these rows have 30"):
        attack.score_samples(DecisionTreeClassifier().fit(X[:, :3], y), X, y)
    named = pd.DataFrame(X).rename(columns=str)
    with pytest.raises(ValueError, match=r"other columns.*differing: \['0', 'x'\]"):
        LossAttack().score_samples(
            DecisionTreeClassifier().fit(named, y), named.rename(columns={"0": "x"}), y
        )
    three = DecisionTreeClassifier().fit(X, np.where(np.arange(len(y)) < 9, 2, y))
    with pytest.raises(ValueError, match=r"no shadow model has seen: \[2\]"):
        attack.score_samples(three, X, y)
    with pytest.raises(ValueError, match=r"Labels \[7\] are none"):
        LossAttack().score_samples(victim_of(table), X, np.where(np.arange(len(y)) < 9, 7, y))
    with pytest.raises(ValueError, match="not of one kind"):
        attack.score_samples(DecisionTreeRegressor().fit(X, y), X, y)
    with pytest.raises(TypeError, match="neither"):
        LossAttack().score_samples(StandardScaler().fit(X), X, y)
    with pytest.raises(NotFittedError):
        RMIA(shadows).score_samples(victim_of(table), X, y)
    with pytest.raises(NotFittedError):
        LossAttack().score_samples(TREE, X, y)
    with pytest.raises(ValueError, match="pass estimator="):
        RMIA().fit(X, y)
    with pytest.raises(ValueError, match="other rows than these"):
        RMIA(shadows).fit(X + 1.0, y)
    few = LiRA(ShadowModels(TREE, 2, random_state=0), variance="per_row").fit(X, y)
    with pytest.raises(ValueError, match="two shadow models"):
        few.score_samples(victim_of(table), X, y)


def test_attacks_are_estimators(table, shadows):
    X, y = table
    for attack in ATTACKS.values():
        again = clone(attack)
        assert again.get_params() == attack.get_params()
    attack = RMIA(estimator=TREE, n_models=4, random_state=3).fit(X, y)
    loaded = pickle.loads(pickle.dumps(attack))
    scores = attack.score_samples(victim_of(table), X, y)
    np.testing.assert_array_equal(loaded.score_samples(victim_of(table), X, y), scores)
    again = RMIA(estimator=TREE, n_models=4, random_state=3).fit(X, y)
    np.testing.assert_array_equal(again.score_samples(victim_of(table), X, y), scores)
    unfitted = RMIA(ShadowModels(TREE, 4, random_state=3)).fit(X, y)
    assert not hasattr(unfitted.shadow_models, "in_")
    assert unfitted.shadow_models_.in_.shape == (4, 569)


@pytest.mark.long
@pytest.mark.parametrize("name", ["loss", "lira", "rmia"])
def test_intervals_cover_where_the_victim_saw_neither_half(name, global_random_seed):
    """Fitted anew each time on other rows, a model has nothing to say of either half."""
    rng = np.random.default_rng(global_random_seed)

    def draw(n):
        X = rng.normal(size=(n, 4))
        return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)

    model = DecisionTreeClassifier(min_samples_leaf=2, max_features=2)
    X, y = draw(120)
    attack = ATTACKS[name]
    if not isinstance(attack, LossAttack):
        shadows = ShadowModels(model, 8, random_state=global_random_seed).fit(X, y)
        attack = clone(attack).set_params(shadow_models=shadows).fit()
    n_runs, n_covered, n_small = 150, 0, 0
    for _ in range(n_runs):
        victim = clone(model).set_params(random_state=rng.integers(1 << 30)).fit(*draw(60))
        truth = rng.permutation(np.arange(120) % 2 == 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DistributionShiftWarning)
            scores = attack.score_samples(victim, X, y)
        result = membership_result(scores, truth, fpr=())
        n_covered += result.auc_interval[0] <= 0.5 <= result.auc_interval[1]
        n_small += result.p_value <= 0.05
    assert stats.binomtest(n_covered, n_runs, 0.95).pvalue > 1e-4
    assert stats.binomtest(n_small, n_runs, 0.05).pvalue > 1e-4
