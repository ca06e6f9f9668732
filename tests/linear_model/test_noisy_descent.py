"""NoisyDescentClassifier as an estimator; what it claims is tested in tests/guarantees."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, special
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skunlearn._privacy.noise import secret_normal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import NoisyDescentClassifier
from skunlearn.linear_model._glm.losses import SoftmaxLoss
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils import get_unlearning_tags

ACCOUNTANTS = ["neel2021", "langevin2024"]


def draw(rng, n=120, d=3, n_classes=2):
    X = rng.normal(size=(n, d))
    scores = 2.0 * X @ rng.normal(size=(d, n_classes)) + rng.gumbel(size=(n, n_classes))
    return X, np.array(["a", "b", "c", "d"])[scores.argmax(axis=1)]


def descended(X, y, classes, alpha, seed=None, n_steps=20_000, noise=0.0, radius=np.inf, start=0.0):
    """Descend by brute force on rows that are clipped to norm 1 and end with a one."""
    Z = np.hstack([X / np.maximum(np.linalg.norm(X, axis=1), 1.0)[:, None], np.ones((len(X), 1))])
    binary = len(classes) == 2
    onehot = (y[:, None] == classes).astype(float)
    L = alpha + 2.0 / (4.0 if binary else 2.0)
    step = 2.0 / (L + alpha)
    W = np.full((1 if binary else len(classes), Z.shape[1]), start)
    for t in range(n_steps):
        if binary:
            derivatives = special.expit(Z @ W.T) - onehot[:, 1:]
        else:
            derivatives = special.softmax(Z @ W.T, axis=1) - onehot
        W = W - step * (derivatives.T @ Z / len(Z) + alpha * W)
        if noise:
            W += (
                np.sqrt(2 * step)
                * noise
                * secret_normal(seed, b"step %d" % t, W.size).reshape(W.shape)
            )
            W *= min(1.0, radius / np.linalg.norm(W))
    return W


@pytest.mark.fast
@pytest.mark.parametrize("n_classes", [2, 3])
def test_steps_by_brute_force(n_classes, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(rng, n_classes=n_classes)
    classes = np.unique(y)
    parameters = {"alpha": 0.05, "noise": 0.2, "random_state": global_random_seed, "radius": 3.0}
    model = NoisyDescentClassifier(accountant="langevin2024", **parameters)
    seed = model._first_seed()
    model.fit(X, y)
    W = descended(X, y, classes, 0.05, seed, model.n_steps_, 0.2, 3.0)
    assert_allclose(np.hstack([model.coef_, model.intercept_[:, None]]), W, rtol=1e-8, atol=1e-10)
    secret = NoisyDescentClassifier(**parameters).fit(X, y)
    W = descended(X, y, classes, 0.05, n_steps=secret.n_steps_)
    assert_allclose(secret._iterate.reshape(W.shape), W, rtol=1e-8, atol=1e-10)
    published = np.hstack([secret.coef_, secret.intercept_[:, None]]).ravel()
    noise = 0.2 * secret_normal(seed, b"release", W.size)
    assert_allclose(published - secret._iterate, noise, rtol=1e-9, atol=1e-12)


@pytest.mark.fast
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_secret_iterate_is_near_the_optimum(n_classes, global_random_seed):
    X, y = draw(np.random.default_rng(global_random_seed), n_classes=n_classes)
    model = NoisyDescentClassifier(alpha=0.1, random_state=0).fit(X, y).unlearn([0, 1, 2])
    optimum = descended(X[3:], y[3:], np.unique(y), 0.1, n_steps=3000).ravel()
    assert np.linalg.norm(model._iterate - optimum) <= model._gap + 1e-3


@pytest.mark.fast
@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_accuracy_on_real_tables(accountant, global_random_seed):
    X, y = load_breast_cancer(return_X_y=True)
    digits, number = load_digits(return_X_y=True)
    binary = np.isin(number, [3, 8])
    tables = [(X, y, 0.9), (digits[binary], number[binary], 0.88), (digits, number, 0.75)]
    for X, y, least in tables:
        X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)
        parts = train_test_split(X, y, random_state=global_random_seed, stratify=y)
        model = NoisyDescentClassifier(accountant=accountant, random_state=global_random_seed)
        model.fit(parts[0], parts[2]).unlearn(np.arange(5))
        assert model.score(parts[1], parts[3]) > least


@pytest.mark.fast
@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_noise_is_repeatable_and_never_used_twice(accountant):
    X, y = draw(np.random.default_rng(0))

    def releases(random_state):
        model = NoisyDescentClassifier(accountant=accountant, random_state=random_state).fit(X, y)
        seen = [model.coef_.copy()]
        seeds = [model._seed]
        for row in range(4):
            seen.append(model.unlearn(row).coef_.copy())
            seeds.append(model._seed)
        assert len(set(seeds)) == 5
        return np.array(seen)

    assert_array_equal(releases(3), releases(3))
    assert np.abs(releases(3) - releases(4)).max() > 1e-3
    assert np.abs(releases(None) - releases(None)).max() > 1e-3
    drawn = [releases(np.random.RandomState(5)) for _ in range(2)]
    assert_array_equal(*drawn)
    model = NoisyDescentClassifier(random_state=3, noise=0.3).fit(X, y)
    noises = []
    for row in range(6):
        model.unlearn(row)
        noises.append(model.coef_.ravel() - model._iterate[:-1])
    gaps = [np.abs(a - b).max() for a in noises for b in noises if a is not b]
    assert min(gaps) > 1e-6


@pytest.mark.fast
def test_a_pipeline_that_refits_does_not_repeat_noise():
    X, y = draw(np.random.default_rng(0))
    model = make_pipeline(
        StandardScaler(), NoisyDescentClassifier(accountant="langevin2024", random_state=0)
    ).fit(X, y)
    before, spent = model[-1]._seed, model[-1].epsilon_spent_
    model.unlearn([4])
    assert model[-1]._seed != before
    assert model[-1].epsilon_spent_ > spent
    again = make_pipeline(
        StandardScaler(), NoisyDescentClassifier(accountant="langevin2024", random_state=0)
    ).fit(X[np.arange(120) != 4], y[np.arange(120) != 4])
    assert np.abs(model[-1].coef_ - again[-1].coef_).max() > 1e-3
    assert model.unlearning_report_.guarantee.kind == "certified"


@pytest.mark.fast
@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_requests_take_steps_as_their_size_asks_for(accountant, global_random_seed):
    X, y = draw(np.random.default_rng(global_random_seed), n=600)
    parameters = {"accountant": accountant, "random_state": 0, "noise": 0.1}

    def steps(n_rows, **changes):
        model = NoisyDescentClassifier(**parameters | changes).fit(X, y)
        n_fit = model.n_steps_
        model.unlearn(np.arange(n_rows))
        guarantee = model.unlearning_report_.guarantee
        assert 0.0 < guarantee.epsilon <= model.epsilon
        assert guarantee.delta == model.delta
        assert 1 <= model.n_steps_ < n_fit
        return model.n_steps_

    assert steps(1) < steps(30)
    assert steps(5, epsilon=5.0) < steps(5) < steps(5, epsilon=0.2)
    assert steps(5, noise=0.5) < steps(5)
    # Declared parameters alone say how long a fit takes.
    fits = [NoisyDescentClassifier(**parameters).fit(X[:n], y[:n]).n_steps_ for n in (50, 600)]
    assert fits[0] == fits[1]
    # In a row of requests the account finds a level.
    model = NoisyDescentClassifier(**parameters).fit(X, y)
    taken, spent = [], [model.epsilon_spent_]
    for row in range(25):
        model.unlearn(row)
        taken.append(model.n_steps_)
        spent.append(model.epsilon_spent_)
        assert model.unlearning_report_.guarantee.epsilon <= 1.0
    assert max(taken) <= np.median(taken) + 2
    assert spent == sorted(spent)


@pytest.mark.fast
@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_a_class_that_vanishes_is_a_fit_from_zero(accountant):
    X, y = load_iris(return_X_y=True)
    model = NoisyDescentClassifier(accountant=accountant, random_state=0).fit(X, y)
    spent = model.epsilon_spent_
    model.unlearn(np.arange(50, 100))
    report = model.unlearning_report_
    again = NoisyDescentClassifier(accountant=accountant, random_state=0)
    again.fit(np.delete(X, range(50, 100), 0), y[y != 1])
    assert model.classes_.tolist() == [0, 2]
    assert model.coef_.shape == again.coef_.shape == (1, 4)
    assert model.n_steps_ == again.n_steps_
    assert (report.n_refitted, report.guarantee.epsilon, report.guarantee.delta) == (1, 0.0, 0.0)
    assert model.epsilon_spent_ > spent
    if accountant == "neel2021":
        assert_allclose(model._iterate, again._iterate, rtol=1e-9)
    before = pickle.dumps(model)
    with pytest.raises(NotUnlearnableError, match="one class"):
        model.unlearn(np.arange(50))
    assert pickle.dumps(model) == before


@pytest.mark.fast
def test_purge_computes_the_secret_iterate_anew(global_random_seed):
    X, y = draw(np.random.default_rng(global_random_seed))
    parameters = {"noise": 20.0, "random_state": 0}
    model = NoisyDescentClassifier(**parameters).fit(X, y).unlearn([1, 4, 6])
    published, residue = model.coef_.copy(), model._iterate.copy()
    left = np.delete(np.arange(120), [1, 4, 6])
    again = NoisyDescentClassifier(**parameters).fit(X[left], y[left])
    assert np.abs(residue - again._iterate).max() > 1e-9
    model.purge()
    assert_array_equal(model.coef_, published)
    assert_allclose(model._iterate, again._iterate, rtol=1e-12)
    chain = NoisyDescentClassifier(accountant="langevin2024", random_state=0).fit(X, y)
    assert chain.unlearn(3)._iterate is None
    assert get_unlearning_tags(chain).scope == "state"
    assert get_unlearning_tags(model).scope == "output"


@pytest.mark.fast
@pytest.mark.parametrize("n_classes", [2, 4])
def test_sparse_rows_and_long_rows(n_classes, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(rng, n_classes=n_classes)
    X *= rng.random(X.shape) < 0.6
    dense = NoisyDescentClassifier(random_state=0).fit(X, y).unlearn([2, 3])
    thin = NoisyDescentClassifier(random_state=0).fit(sparse.csr_array(X), y).unlearn([2, 3])
    assert_allclose(dense.coef_, thin.coef_, rtol=1e-9)
    assert_allclose(dense.predict_proba(X), thin.predict_proba(sparse.csr_array(X)), rtol=1e-9)
    norms = np.linalg.norm(X, axis=1)
    clipped = X / np.maximum(norms, 1.0)[:, None]
    short = NoisyDescentClassifier(random_state=0).fit(clipped, y).unlearn([2, 3])
    assert_allclose(dense.coef_, short.coef_, rtol=1e-9)
    assert_allclose(dense.decision_function(X), short.decision_function(clipped), rtol=1e-9)
    for row in range(4, 120, 9):
        assert row in dense.find_samples(X[[row]])
        assert row in thin.find_samples(sparse.csr_array(X[[row]]))
    twice = sparse.csr_array(
        (np.tile([0.5], 2 * X.size), np.tile(np.arange(3).repeat(2), 120), np.arange(121) * 6),
        shape=X.shape,
    )
    held = NoisyDescentClassifier().fit(twice, y)._samples.X
    assert_allclose(np.sqrt(held.multiply(held).sum(axis=1)), 1.0)
    assert_allclose(dense.predict_log_proba(X), np.log(dense.predict_proba(X)))


@pytest.mark.fast
def test_predictions_are_those_of_a_logistic_regression():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    X /= np.linalg.norm(X, axis=1).max()
    ours = NoisyDescentClassifier(noise=1e-9, alpha=1e-3, random_state=0).fit(X, y)
    namesake = LogisticRegression(
        C=1.0 / (1e-3 * len(X)), fit_intercept=False, tol=1e-12, max_iter=10_000
    ).fit(np.hstack([X, np.ones((len(X), 1))]), y)
    assert_allclose(ours.coef_[0], namesake.coef_[0, :-1], atol=1e-4)
    chances = namesake.predict_proba(np.hstack([X, np.ones((len(X), 1))]))
    assert_allclose(ours.predict_proba(X), chances, atol=1e-4)
    assert_array_equal(ours.to_predictor().predict(X), ours.predict(X))


@pytest.mark.fast
def test_each_accountant_says_what_it_takes_for_granted():
    X, y = draw(np.random.default_rng(0))
    words = {"neel2021": "may be chosen by looking", "langevin2024": "not chosen by looking"}
    for accountant, phrase in words.items():
        model = NoisyDescentClassifier(accountant=accountant, random_state=0)
        assert phrase in model._repr_mimebundle_()["text/html"]
        model.fit(X, y).unlearn(3)
        assert phrase in str(model.unlearning_report_)
        model.unlearn([])
        assert phrase in str(model.unlearning_report_)
        assert model.unlearning_report_.guarantee.epsilon <= 1.0


@pytest.mark.fast
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"norm_bound": -1.0}, "norm_bound"),
        ({"noise": 0}, "noise"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"delta": 0.0}, "delta"),
        ({"delta": 1.0}, "delta"),
        ({"accountant": "hope"}, "accountant"),
        ({"radius": 0.0}, "radius"),
    ],
)
def test_parameters_out_of_range(parameters, message):
    with pytest.raises(ValueError, match=message):
        NoisyDescentClassifier(**parameters).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.fast
def test_one_class_is_refused():
    with pytest.raises(ValueError, match="one class"):
        NoisyDescentClassifier().fit([[0.0], [1.0]], [1, 1])


@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_steps_are_foretold_and_not_made(accountant, monkeypatch, global_random_seed):
    X, y = draw(np.random.default_rng(global_random_seed), n_classes=3)
    model = NoisyDescentClassifier(accountant=accountant, random_state=0)
    model.fit(X, y, sample_ids=np.arange(len(y)))
    gradients = []
    sums = SoftmaxLoss.gradient_sums

    def counted(self, *args):
        gradients.append(args)
        return sums(self, *args)

    monkeypatch.setattr(SoftmaxLoss, "gradient_sums", counted)
    for ids in ([5], [7, 8], list(range(20, 40))):
        n_held = model.sample_ids_.size
        cost = model.unlearning_cost(ids)
        assert not gradients
        model.unlearn(ids)
        assert cost.n_passes == pytest.approx(len(gradients) * (n_held - len(ids)) / n_held)
        assert cost.n_parts_touched == 0
        gradients.clear()
    lone = model.sample_ids_[model._samples.y[model._samples.slots()] == "a"]
    cost = model.unlearning_cost(lone)
    assert (cost.n_parts_touched, model.unlearn(lone).unlearning_report_.n_refitted) == (1, 1)
