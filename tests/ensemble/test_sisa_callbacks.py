"""Progress callbacks hear of every shard, in fit and in unlearn."""

import numpy as np
import pytest

from skunlearn.ensemble import SISAClassifier, SISARegressor
from skunlearn.exceptions import NotUnlearnableError

callback = pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")


class Listener:
    """A callback that writes down what it hears."""

    def __init__(self):
        self.heard = []

    def setup(self, estimator, context):
        self.heard.append(("setup", context.task_name, context.max_subtasks))

    def teardown(self, estimator, context):
        self.heard.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.heard.append(("end", context.task_name, context.task_id))


def shard(k):
    return [("begin", "shard", k), ("end", "shard", k)]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_shard_ticks(n_jobs):
    X, y = np.arange(60.0).reshape(-1, 1), np.arange(60) % 3
    listener = Listener()
    model = SISAClassifier(n_shards=3, n_jobs=n_jobs, random_state=0).set_callbacks(listener)
    model.fit(X, y)
    assert listener.heard == [
        ("setup", "fit", 3),
        ("begin", "fit", 0),
        *shard(0),
        *shard(1),
        *shard(2),
        ("end", "fit", 0),
        ("teardown", "fit"),
    ]
    listener.heard.clear()
    model.unlearn(7)
    assert listener.heard == [
        ("setup", "unlearn", 1),
        ("begin", "unlearn", 0),
        *shard(0),
        ("end", "unlearn", 0),
        ("teardown", "unlearn"),
    ]
    listener.heard.clear()
    model.unlearn(range(20, 40))
    assert listener.heard[0] == ("setup", "unlearn", 3)
    assert listener.heard[2:-2] == [*shard(0), *shard(1), *shard(2)]
    listener.heard.clear()
    with pytest.raises(KeyError):
        model.unlearn(7)
    model.unlearn([])
    assert listener.heard == []
    assert not [name for name in vars(model) if "callback" in name and name != "_skl_callbacks"]


def test_a_callback_that_fails_midway_leaves_the_model_as_it_was():
    class Broken(Listener):
        def on_fit_task_end(self, estimator, context):
            super().on_fit_task_end(estimator, context)
            if context.task_name == "shard" and self.heard[0][1] == "unlearn":
                raise ValueError("no more paper")

    X, y = np.arange(60.0).reshape(-1, 1), np.arange(60.0)
    broken = Broken()
    model = SISARegressor(n_shards=3, random_state=0).set_callbacks(broken).fit(X, y)
    before = model.predict(X)
    broken.heard.clear()
    with pytest.raises(ValueError, match="no more paper") as caught:
        model.unlearn(range(30))
    assert not isinstance(caught.value, NotUnlearnableError)
    assert broken.heard[-1] == ("teardown", "unlearn")
    assert model.sample_ids_.size == 60
    np.testing.assert_array_equal(model.predict(X), before)


def test_progress_bars(capsys):
    X, y = np.arange(60.0).reshape(-1, 1), np.arange(60.0)
    model = SISARegressor(n_shards=3, random_state=0).set_callbacks(callback.ProgressBar())
    model.fit(X, y)
    assert "SISARegressor - fit" in capsys.readouterr().out
    model.unlearn(range(10))
    shown = capsys.readouterr().out
    assert "SISARegressor - unlearn" in shown
    assert "100%" in shown
