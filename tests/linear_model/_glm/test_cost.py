"""Passes of a request are foretold from its first Newton step."""

import copy

import numpy as np
import pytest
from scipy.stats import spearmanr

from skunlearn.linear_model import LogisticRegression, PoissonRegressor
from skunlearn.linear_model._glm import model as glm
from skunlearn.linear_model._glm.problem import Problem

pytestmark = pytest.mark.fast

MODELS = {
    "two classes": (2, LogisticRegression()),
    "three classes": (3, LogisticRegression()),
    "balanced": (2, LogisticRegression(class_weight="balanced")),
    "counts": (2, PoissonRegressor()),
    "bounded": (2, LogisticRegression(unlearning="bounded")),
    "without a pass": (2, LogisticRegression(unlearning="newton")),
}


def draw(seed, n_classes, n=3000, d=6):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    scores = 1.5 * X[:, :n_classes] + rng.gumbel(size=(n, n_classes))
    return X, scores.argmax(axis=1)


@pytest.fixture
def passes(monkeypatch):
    """Return a list that gets an entry for each pass over the rows held."""
    made = []
    for name in ("gradient_sums", "hessian", "value"):
        method = getattr(Problem, name)

        def counted(self, *args, _method=method, _name=name):
            made.append(_name)
            return _method(self, *args)

        monkeypatch.setattr(Problem, name, counted)
    longest = glm.longest_row

    def counted_norm(problem):
        made.append("norm")
        return longest(problem)

    monkeypatch.setattr(glm, "longest_row", counted_norm)
    return made


@pytest.mark.parametrize(("n_classes", "model"), MODELS.values(), ids=MODELS)
def test_passes_are_foretold(n_classes, model, passes, global_random_seed):
    X, y = draw(global_random_seed, n_classes)
    model = copy.deepcopy(model).fit(X, y, sample_ids=np.arange(len(y)))
    rng = np.random.default_rng(global_random_seed)
    told, made = [], []
    for n_ids in (1, 2, 5, 20, 80, 300, 900):
        ids = rng.choice(len(y), n_ids, replace=False)
        passes.clear()
        cost = model.unlearning_cost(ids)
        assert not passes
        trial = copy.deepcopy(model)
        passes.clear()
        report = trial.unlearn(ids).unlearning_report_
        assert cost.n_parts_touched >= report.n_refitted
        if cost.n_parts_touched == report.n_refitted:
            told.append(cost.n_passes)
            made.append(len(passes))
    assert len(told) >= 5
    gaps = np.subtract(told, made)
    assert np.median(np.abs(gaps)) <= 1
    assert np.abs(gaps).max() <= 1 + 0.5 * max(made)
    if len(set(made)) > 2:
        assert spearmanr(told, made).statistic > 0.8


def test_a_refit_counts_what_a_fit_makes():
    X, y = draw(0, 2)
    labels = y.astype(object)
    labels[:2] = "a class of two"
    labels[2:] = [f"{label}" for label in y[2:]]
    model = LogisticRegression().fit(X, labels.astype(str), sample_ids=np.arange(len(y)))
    cost = model.unlearning_cost([0, 1])
    n_held = len(y)
    assert cost.n_parts_touched == 1
    assert cost.n_passes == pytest.approx(model.n_iter_[0] * (n_held - 2) / n_held)
    assert model.unlearn([0, 1]).unlearning_report_.n_refitted == 1
