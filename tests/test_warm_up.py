"""The command `warm-up` uses every estimator once, so that nothing is compiled afterwards."""

import pytest

from skunlearn import __main__, _warm_up
from skunlearn.ensemble import SISAClassifier, UnlearningForestRegressor
from skunlearn.feature_extraction.text import TfidfVectorizer
from skunlearn.naive_bayes import GaussianNB
from skunlearn.pipeline import Pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils.discovery import all_estimators


@pytest.mark.parametrize(
    "cls", [cls for _, cls in all_estimators("unlearner") if _warm_up._can_be_made(cls)]
)
def test_every_estimator_can_be_used(cls):
    estimator = cls()
    _warm_up._use(estimator)
    assert estimator.unlearning_report_.n_removed == _warm_up._N_GONE


def test_command_says_what_it_does_and_how_long_it_took(monkeypatch, capsys):
    chosen = [GaussianNB, StandardScaler, TfidfVectorizer, Pipeline, SISAClassifier]
    monkeypatch.setattr(_warm_up, "all_estimators", lambda kind: [(c.__name__, c) for c in chosen])
    used = []
    monkeypatch.setattr(_warm_up, "_use", used.append)
    assert __main__.main(["warm-up"]) == 0
    assert [type(estimator) for estimator in used] == [c for c in chosen if c is not Pipeline]
    said = capsys.readouterr()
    assert said.out.startswith("Kernels of 4 estimators are compiled: ")
    assert "GaussianNB (1 of 4)" in said.err


def test_nothing_is_compiled_when_all_is_warm(caplog):
    _warm_up._use(UnlearningForestRegressor())
    caplog.set_level("INFO", logger="skunlearn")
    _warm_up._use(UnlearningForestRegressor())
    assert not [record for record in caplog.records if record.name == "skunlearn"]


def test_options_alone_are_still_those_of_the_demo(monkeypatch, capsys):
    given = {}
    monkeypatch.setattr(__main__, "run_demo", lambda **options: given.update(options) or True)
    assert __main__.main(["--seed", "3"]) == 0
    assert given["seed"] == 3
    with pytest.raises(SystemExit):
        __main__.main(["warm-up", "--seed", "1"])
