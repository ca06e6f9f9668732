"""What noisy descent claims, against exact computation and against attacks that try to exceed it.

Attacks repeat a small problem thousands of times, all repetitions in one array. A row far from the
others leaves, so that there is something to find.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from skunlearn._privacy.accounting import epsilon_lower_bound, gaussian_epsilon
from skunlearn.linear_model import NoisyDescentClassifier
from skunlearn.linear_model._noisy_accounting import Descent

N_REPEATS = 12_000

# Probability that an attack "proves" too much although the claim is right.
ALPHA = 1e-4


def draw_descent(rng, *, secret, epsilon=None):
    smoothness = 10 ** rng.uniform(-0.7, 0.5)
    return Descent(
        alpha=smoothness * 10 ** rng.uniform(-2.5, -0.5),
        smoothness=smoothness,
        lipschitz=10 ** rng.uniform(-0.5, 0.5),
        radius=10 ** rng.uniform(0.0, 1.5),
        noise=10 ** rng.uniform(-2.0, 0.0),
        epsilon=10 ** rng.uniform(-1.0, 0.7) if epsilon is None else epsilon,
        delta=10 ** rng.uniform(-6.0, -2.0),
        accountant="neel2021" if secret else "langevin2024",
    )


@pytest.mark.fast
def test_the_account_is_exact_for_the_worst_quadratic(global_random_seed):
    """Follow mean and variance of noisy steps on alpha/2 w^2 - b w through several requests."""
    rng = np.random.default_rng(global_random_seed)
    for _ in range(50):
        descent = draw_descent(rng, secret=False)
        c, step, noise = descent.contraction, descent.step_size, descent.step_noise

        def run(mean, variance, derivatives, n_steps, c=c, step=step, noise=noise):
            for _ in range(n_steps):
                mean, variance = c * mean + step * derivatives, c * c * variance + noise**2
            return mean, variance

        n, derivatives, gap = 1000, 0.0, 0.0
        unlearned = run(0.0, 0.0, derivatives, descent.n_steps)
        for _ in range(4):
            k = int(rng.integers(1, 30))
            derivatives += descent.alpha * descent.shift(
                k, n
            )  # all that the removal of k rows can change
            gap += descent.shift(k, n)
            n -= k
            n_steps = descent.steps_for(gap)
            gap *= c**n_steps
            unlearned = run(*unlearned, derivatives, n_steps)
            retrained = run(0.0, 0.0, derivatives, descent.n_steps)
            mu = abs(unlearned[0] - retrained[0]) / np.sqrt(retrained[1])
            assert mu <= descent.mu(gap) * (1 + 1e-9)
            claimed = gaussian_epsilon(descent.delta, descent.mu(gap))
            assert claimed <= descent.epsilon * (1 + 1e-6)
            # All that the claim adds is what is left of the start, four requests of it.
            assert mu >= descent.mu(gap) - 10.0 * descent.mu(0.0)


@pytest.mark.fast
def test_what_a_release_says_about_a_row_is_exact_for_the_worst_quadratic(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for _ in range(50):
        descent = draw_descent(rng, secret=False)
        n, n_steps = int(rng.integers(2, 1000)), int(rng.integers(1, 200))
        mean = variance = 0.0
        for _ in range(n_steps):
            mean = descent.contraction * mean + descent.step_size * 2.0 * descent.lipschitz / n
            variance = descent.contraction**2 * variance + descent.step_noise**2
        assert descent.mu_published(n_steps, n) == pytest.approx(mean / np.sqrt(variance))


@pytest.mark.fast
def test_the_account_is_below_those_of_the_papers(global_random_seed):
    """Renyi bounds of Langevin unlearning (2024), and the noise of descent-to-delete (2021)."""
    rng = np.random.default_rng(global_random_seed)
    for _ in range(30):
        descent = draw_descent(rng, secret=False)
        m, n = descent.alpha, 10 ** rng.uniform(2, 5)
        for n_steps in (1, 5, 50):
            step = 1.0 / descent.smoothness
            start = 4.0 * descent.lipschitz**2 / (m * descent.noise**2 * n**2)

            def renyi(log_order, step=step, start=start, n_steps=n_steps, m=m, descent=descent):
                order = 1.0 + np.exp(log_order)
                kept = np.exp(-step * m * n_steps / order)
                return kept * order * start - np.log(descent.delta) / (order - 1.0)

            namesake = optimize.minimize_scalar(renyi, bounds=(-5, 12), method="bounded").fun
            gap = descent.shift(1, n) * descent.contraction**n_steps
            assert gaussian_epsilon(descent.delta, gap / descent.spread()) <= namesake
    for _ in range(30):
        descent = draw_descent(rng, secret=True, epsilon=1.0)
        c, n, n_steps = descent.contraction, 1000, int(rng.integers(1, 100))
        root = np.sqrt(-np.log(descent.delta))
        namesake = (
            4 * np.sqrt(2) * descent.lipschitz * c**n_steps / (descent.alpha * n * (1 - c**n_steps))
        )
        namesake /= np.sqrt(root**2 + 1.0) - root
        gap = 0.0
        for _ in range(400):
            gap = c**n_steps * (gap + descent.shift(1, n))
        assert gaussian_epsilon(descent.delta, 2.0 * gap / namesake) <= 1.0


class Problem:
    """Logistic regression in one dimension, whose last row is far from the others."""

    alpha = 0.1

    def __init__(self, rng, noise, epsilon, delta, n=10):
        self.rng = rng
        self.X = np.append(np.full(n - 1, 0.05), 1.0)
        self.y = np.append(np.arange(n - 1) % 2, 1.0)
        self.model = NoisyDescentClassifier(
            self.alpha,
            noise=noise,
            epsilon=epsilon,
            delta=delta,
            accountant="langevin2024",
            fit_intercept=False,
            random_state=0,
        ).fit(self.X[:, None], self.y.astype(int))
        self.descent = self.model._descent

    def descend(self, w, rows, n_steps, noise=1.0):
        """Take steps on some rows in all repetitions at once, as the estimator does."""
        pairs = np.stack([self.X[rows], self.y[rows]], axis=1)
        pairs, counts = np.unique(pairs, axis=0, return_counts=True)
        x, y = pairs.T
        for _ in range(n_steps):
            derivatives = (special.expit(np.multiply.outer(w, x)) - y) @ (counts * x) / counts.sum()
            w = w - self.descent.step_size * (derivatives + self.alpha * w)
            w = w + noise * self.descent.step_noise * self.rng.standard_normal(w.shape)
            w = np.clip(w, -self.descent.radius, self.descent.radius)
        return w

    def fitted(self, rows, noise=1.0):
        return self.descend(np.zeros(N_REPEATS), rows, self.descent.n_steps, noise)


def proved(ours, namesake, delta):
    """Attack with the threshold that does best on one half, and count on the other."""

    def bound(threshold, a, b, confidence):
        sides = [(a > threshold).sum(), a.size, (b > threshold).sum(), b.size]
        return epsilon_lower_bound(*sides, delta=delta, alpha=confidence)

    signs = [1.0, -1.0]
    thresholds = np.quantile(np.concatenate([ours, namesake]), np.linspace(0.002, 0.998, 99))
    best = max(
        (bound(s * t, s * ours[::2], s * namesake[::2], ALPHA), s, t)
        for s in signs
        for t in thresholds
    )
    _, s, t = best
    return bound(s * t, s * ours[1::2], s * namesake[1::2], ALPHA)


def test_the_simulation_is_what_the_estimator_does():
    problem = Problem(np.random.default_rng(0), 0.05, 1.0, 1e-3)
    descent = problem.descent
    assert problem.model.n_steps_ == descent.n_steps
    releases = [
        NoisyDescentClassifier(**problem.model.get_params() | {"random_state": seed})
        .fit(problem.X[:, None], problem.y.astype(int))
        .coef_[0, 0]
        for seed in range(400)
    ]
    many = problem.fitted(np.arange(10))
    error = many.std() / np.sqrt(400)
    assert np.mean(releases) == pytest.approx(many.mean(), abs=4.5 * error)
    assert np.std(releases) == pytest.approx(many.std(), rel=0.2)


@pytest.mark.long
def test_unlearned_and_retrained_cannot_be_told_apart(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    problem = Problem(rng, noise=0.05, epsilon=0.5, delta=1e-3)
    every, kept = np.arange(10), np.arange(9)
    model = problem.model.unlearn(9)
    claimed = model.unlearning_report_.guarantee.epsilon
    assert 0.0 < claimed <= 0.5
    unlearned = problem.descend(problem.fitted(every), kept, model.n_steps_)
    retrained = problem.fitted(kept)
    assert proved(unlearned, retrained, 1e-3) <= claimed
    # Without the steps, or with a tenth of the noise in as many, the attack finds the row.
    assert proved(problem.fitted(every), retrained, 1e-3) > 1.0
    few = problem.descent.steps_for(problem.descent.shift(1, 10) / 10.0)
    quiet = problem.descend(problem.fitted(every, 0.1), kept, few, 0.1)
    assert proved(quiet, problem.fitted(kept, 0.1), 1e-3) > claimed


@pytest.mark.long
def test_requests_in_sequence_cannot_be_told_apart(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    problem = Problem(rng, noise=0.1, epsilon=0.5, delta=1e-3)
    model, w, kept = problem.model, problem.fitted(np.arange(10)), np.arange(10)
    for row in (9, 0, 3):
        model.unlearn(row)
        kept = kept[kept != row]
        w = problem.descend(w, kept, model.n_steps_)
        claimed = model.unlearning_report_.guarantee.epsilon
        assert proved(w, problem.fitted(kept), 1e-3) <= claimed <= 0.5


@pytest.mark.long
def test_an_adaptive_requester_breaks_langevin_and_not_the_secret_state(global_random_seed):
    """The requester deletes the row only where the published weight is high (Gupta et al. 2021)."""
    rng = np.random.default_rng(global_random_seed)
    problem = Problem(rng, noise=0.3, epsilon=0.2, delta=1e-3, n=200)
    every, kept = np.arange(200), np.arange(199)
    released = problem.fitted(every)
    chosen = released > np.quantile(released, 0.5)
    model = problem.model.unlearn(199)
    unlearned = problem.descend(released, kept, model.n_steps_)[chosen]
    retrained = problem.fitted(kept)
    assert model.unlearning_report_.guarantee.epsilon <= 0.2
    assert proved(unlearned, retrained, 1e-3) > 0.25
    # One who remembers the release before needs no choice at all: no few steps would do.
    near = -np.abs(problem.descend(released, kept, model.n_steps_) - released)
    assert proved(near, -np.abs(retrained - released), 1e-3) > 0.25

    parameters = model.get_params() | {"accountant": "neel2021"}
    secret = NoisyDescentClassifier(**parameters).fit(problem.X[:, None], problem.y.astype(int))
    before = secret._iterate[0] + 0.3 * rng.standard_normal(N_REPEATS)
    after = secret.unlearn(199)._iterate[0] + 0.3 * rng.standard_normal(N_REPEATS)
    exact = NoisyDescentClassifier(**parameters).fit(problem.X[kept, None], problem.y[kept])
    again = exact._iterate[0] + 0.3 * rng.standard_normal(N_REPEATS)
    claimed = secret.unlearning_report_.guarantee.epsilon
    chosen = before > np.quantile(before, 0.5)
    assert proved(after[chosen], again, 1e-3) <= claimed <= 0.2
    assert proved(-np.abs(after - before), -np.abs(again - before), 1e-3) <= claimed


@pytest.mark.long
@pytest.mark.parametrize("n_classes", [2, 3])
def test_secret_iterates_stay_within_their_bound_for_adaptive_requests(
    n_classes, global_random_seed
):
    """Compare with retraining after requests that a requester picks from published models."""
    rng = np.random.default_rng(global_random_seed)
    for _ in range(4):
        n = int(rng.integers(30, 80))
        X = rng.normal(size=(n, 3)) * 10 ** rng.uniform(-1, 1)
        y = np.arange(n) % n_classes
        model = NoisyDescentClassifier(
            alpha=10 ** rng.uniform(-2, -0.5), noise=0.3, random_state=int(rng.integers(99))
        ).fit(X, y)
        shares = []
        for _ in range(5):
            held = model.sample_ids_
            scores = np.abs(X[held] @ model.coef_[0])
            size = int(np.abs(model.coef_[0, 0]) * 1e6) % 3 + 1
            model.unlearn(held[np.argsort(-scores)[:size]])
            held = model.sample_ids_
            again = NoisyDescentClassifier(**model.get_params()).fit(X[held], y[held])
            distance = np.linalg.norm(model._iterate - again._iterate)
            descent = model._descent
            allowed = descent.mu(model._gap) * descent.noise
            epsilon = model.unlearning_report_.guarantee.epsilon
            assert epsilon <= 1.0
            assert distance <= allowed or epsilon == 0.0
            shares.append(distance / allowed)
        assert max(shares) < 1.0


@pytest.mark.long
def test_all_releases_together_say_no_more_of_a_row_than_epsilon_spent(global_random_seed):
    """Replace the telling row; the requester deletes row 0 or 1, whichever the releases suggest."""
    rng = np.random.default_rng(global_random_seed)
    problem = Problem(rng, noise=0.3, epsilon=1.0, delta=1e-3, n=40)
    model = problem.model.unlearn(0).unlearn(2)
    every = np.arange(40)

    def releases(last, noise=1.0):
        world = Problem(rng, noise=0.3, epsilon=1.0, delta=1e-3, n=40)
        world.y[-1] = last
        first = world.fitted(every, noise)
        seen = [first]
        high = first > 0.1
        second = np.where(
            high,
            world.descend(first, every[1:], 5, noise),
            world.descend(first, np.delete(every, 1), 5, noise),
        )
        seen.append(second)
        return np.array(seen)

    spent = NoisyDescentClassifier(**model.get_params()).fit(problem.X[:, None], problem.y)
    mu = np.hypot(spent._spent, problem.descent.mu_published(5, 39))
    claimed = gaussian_epsilon(1e-3, mu)
    score = np.array([0.5, 0.5])
    assert proved(score @ releases(1.0), score @ releases(0.0), 1e-3) <= claimed
    assert proved(score @ releases(1.0, 0.1), score @ releases(0.0, 0.1), 1e-3) > claimed
    assert model.epsilon_spent_ > spent.epsilon_spent_  # of three releases, of one
