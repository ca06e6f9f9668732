"""What private forests claim is attacked: no attack proves more than epsilon, and it would.

The attacker knows everything but the noise and whether one row is there, and applies the likelihood
ratio. Thousands of releases are made at once, with noise at the rate at which the estimator asks
for it. To show that the attack has power it is also made with less noise than is claimed.
"""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import skunlearn.ensemble._dp_forest.base as module
from skunlearn._privacy.accounting import epsilon_lower_bound
from skunlearn._privacy.noise import secret_geometric
from skunlearn.ensemble import DPForestClassifier, DPForestRegressor

N_RELEASES = 12_000

KEY = bytes(32)

# Probability that an attack "proves" too much although the claim is right.
ALPHA = 1e-5

pytestmark = pytest.mark.long


class World:
    """A small table, or that table without the row that the attacker looks for."""

    def __init__(self, seed, *, regression=False, without=None, **parameters):
        rng = np.random.default_rng(seed)
        X, target = rng.normal(size=(12, 2)), rng.random(12)
        target[0] = 1.0
        self.kept = np.setdiff1d(np.arange(12), [] if without is None else [without])
        shared = {"n_estimators": 3, "max_depth": 1, "bounds": (-2, 2), "random_state": seed}
        shared |= parameters
        if regression:
            model = DPForestRegressor(target_bounds=(0, 1), **shared)
        else:
            model = DPForestClassifier(classes=[0, 1], **shared)
            target = (target > 0.5).astype(int)
        self.model = model.fit(X[self.kept], target[self.kept], sample_ids=self.kept)

    @property
    def counts(self):
        return self.model._counts.astype(float) / self.model._unit

    def releases(self, name, factor=1.0):
        """Publish the counts many times, with noise narrower by a factor than epsilon asks for."""
        counts = self.model._counts
        rate = factor * self.asked_rate()
        noise = secret_geometric(KEY, name.encode(), N_RELEASES * counts.size, rate)
        return (counts + noise.reshape(-1, *counts.shape)) / self.model._unit

    def asked_rate(self):
        """Publish once, and see at what rate noise is asked for, and that it is added as it is."""
        model, asked = self.model, []

        def listening(key, purpose, size, rate):
            noise = secret_geometric(key, purpose, size, rate)
            asked.append((rate, noise.reshape(model._counts.shape)))
            return noise

        described = {name: getattr(model, name) for name in model._declared}
        with mock.patch.object(module, "secret_geometric", listening):
            published = model._publish(described, model.trees_, model._counts, 1)
        ((rate, noise),) = asked
        assert_array_equal(published["noisy_counts_"] * model._unit, model._counts + noise)
        return rate


def evidence(releases, ours, namesake):
    """Return how much closer releases are to one table of counts than to another."""
    axes = (1, 2, 3)
    return np.abs(releases - namesake).sum(axis=axes) - np.abs(releases - ours).sum(axis=axes)


def proved(ours, namesake):
    """Attack with the threshold that does best on one half, and count on the other."""

    def bound(threshold, part):
        counts = [(int((s[part] >= threshold).sum()), s[part].size) for s in (ours, namesake)]
        return epsilon_lower_bound(*counts[0], *counts[1], alpha=ALPHA)

    thresholds = np.unique(np.concatenate([ours[::2], namesake[::2]]).round(6)) - 1e-7
    chosen = thresholds[np.unique(np.linspace(0, thresholds.size - 1, 99).astype(int))]
    best = max(chosen, key=lambda threshold: bound(threshold, slice(0, None, 2)))
    return bound(best, slice(1, None, 2))


def attack(here, gone, factor=1.0):
    """Attack releases of two worlds."""
    worlds = ((here, "here"), (gone, "gone"))
    return proved(*[evidence(w.releases(n, factor), here.counts, gone.counts) for w, n in worlds])


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("max_samples", [0.01, 1.0])
def test_a_release_says_no_more_of_a_row_than_epsilon(regression, max_samples, global_random_seed):
    parameters = {"regression": regression, "max_samples": max_samples, "epsilon": 1.0}
    here = World(global_random_seed, **parameters)
    gone = World(global_random_seed, without=0, **parameters)
    assert np.abs(here.counts - gone.counts).sum() == (1.0 if max_samples < 1 else 3.0)
    assert 0.5 < attack(here, gone) <= 1.0
    # half of the noise, and noise for one tree where a row is in three
    assert attack(here, gone, factor=2.0) > 1.2
    assert max_samples < 1.0 or attack(here, gone, factor=3.0) > 1.5


def test_a_row_that_comes_back_elsewhere_is_worth_two(global_random_seed):
    """Neighbours differ by one row; to change a row is to take one out and to add one."""
    shared = {"epsilon": 1.0, "max_samples": 0.01}
    here, changed = (World(global_random_seed, **shared) for _ in range(2))
    cells = here.model._counts - World(global_random_seed, without=0, **shared).model._counts
    changed.model._counts += cells[..., ::-1] - cells
    assert 1.0 < attack(here, changed) <= 2.0


def test_releases_compose_to_what_the_account_says(global_random_seed):
    """See the release of `fit` and that after another row's removal."""
    worlds = [World(global_random_seed, without=w, epsilon=0.8, n_estimators=1) for w in (None, 0)]
    scores = np.zeros((2, N_RELEASES))
    for request in (None, 5):
        if request is not None:
            for world in worlds:
                world.model.unlearn(request)
        tables = [world.counts for world in worlds]
        for position, world in enumerate(worlds):
            scores[position] += evidence(world.releases(f"{position} {request}"), *tables)
    assert worlds[0].model.budget_spent_ == 1.6
    assert 0.8 < proved(*scores) <= 1.6


def test_a_model_after_unlearning_cannot_be_told_from_a_retrained_one(global_random_seed):
    parameters = {"epsilon": 1.0, "removal_epsilon": 0.0}
    model = World(global_random_seed, **parameters)
    former = model.counts
    model.model.unlearn(0)
    assert model.model.unlearning_report_.guarantee.epsilon == 0.0
    again = World(global_random_seed, without=0, **parameters)
    ours, namesake = (w.releases(name) for w, name in ((model, "unlearned"), (again, "again")))
    known = again.counts
    assert proved(evidence(ours, former, known), evidence(namesake, former, known)) == 0.0


def test_a_release_that_stays_is_worth_epsilon_for_each_removed_row(global_random_seed):
    parameters = {"epsilon": 0.5, "removal_epsilon": 1.0, "n_estimators": 1}
    model = World(global_random_seed, **parameters)
    before = model.releases("before")
    former = model.counts
    model.model.unlearn([0, 1])
    claimed = model.model.unlearning_report_.guarantee.epsilon
    assert claimed == 1.0
    again = World(global_random_seed, **parameters)
    again.model.unlearn([0, 1])
    after = again.releases("retrained")
    bound = proved(evidence(before, former, again.counts), evidence(after, former, again.counts))
    assert 0.5 < bound <= claimed
