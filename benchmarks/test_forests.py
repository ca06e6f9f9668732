"""Forests: fit, requests, prediction, memory and accuracy against forests that have to refit."""

import gc
import multiprocessing
import pickle
import statistics
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from benchmarks.forest_peers import N_JOBS, competitors
from benchmarks.forest_tables import REAL, SYNTHETIC, load, synthetic_rows
from benchmarks.tools import scaled, seconds
from skunlearn.ensemble import UnlearningForestClassifier

# Fits that take longer are timed once, others three times in turn.
_LONG = 5.0

# Requests for one row, which the mean and the 99th percentile are of; for batches, how many.
_N_SINGLE, _N_SLOW, _N_BATCHES = 500, 30, 3

COLUMNS = (
    "fit s",
    "x RF",
    "predict s",
    "mean ms",
    "median ms",
    "p99 ms",
    "0.1% s",
    "1% s",
    "trees MB",
    "peak MB",
    "pickle MB",
    "deployed MB",
    "accuracy",
    "AUC",
)
_WIDTH = 12

# Where a forest cannot forget, requests take a fit.
_REQUESTS = ("mean ms", "median ms", "p99 ms", "0.1% s", "1% s")


def line(name, texts):
    return f"{name:<32}" + "".join(f"{text:>{_WIDTH}}" for text in texts)


def texts_of(cells):
    for title in COLUMNS:
        value = cells.get(title)
        if value is not None:
            yield f"{value:.4f}" if title in ("accuracy", "AUC") else f"{value:.3g}"
        else:
            yield "refit" if title in _REQUESTS else "-"


def rows_for(forest, table):
    return table.native if forest.takes_categories else table.codes


def megabytes_of_fit(name, position):
    """Measure in a new process by how much memory grows at most during a fit."""
    table = load(name)
    forest = competitors()[0][position]
    X, y = rows_for(forest, table)[0], table.y[0]
    forest.make().fit(X[:200], y[:200])
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts at what is used now
    before = _status("VmHWM")
    model = forest.make().fit(X, y)
    return (_status("VmHWM") - before) / 1e3 if model is not None else None


def _status(field):
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith(field):
            return int(text.split()[1])
    raise KeyError(field)


def pickle_size(model):
    try:
        return len(pickle.dumps(model)) / 1e6
    except TypeError:  # DaRE cannot be pickled
        return None


def time_requests(forest, model, n_rows, rng):
    """Forget rows one by one and in batches, none of them twice."""
    order = rng.permutation(n_rows).astype(np.int64)
    forest.forget(model, order[:1])
    budget = _N_SLOW if seconds(lambda: forest.forget(model, order[1:2])) > 0.02 else _N_SINGLE
    at = 2 + min(budget, n_rows // 20)
    single = [seconds(partial(forest.forget, model, order[i : i + 1])) * 1e3 for i in range(2, at)]
    cells = {
        "mean ms": statistics.mean(single),
        "median ms": statistics.median(single),
        "p99 ms": float(np.quantile(single, 0.99)),
    }
    for title, share in (("0.1% s", 0.001), ("1% s", 0.01)):
        size = max(1, int(share * n_rows))
        times = []
        for _ in range(_N_BATCHES):
            times.append(seconds(partial(forest.forget, model, order[at : at + size])))
            at += size
        cells[title] = statistics.median(times)
    return cells


def compare(table, forests, rng):
    """Return a dictionary of cells for each of the forests."""
    truth = table.y[1]
    times, predict_times, models, found = {}, {}, {}, {}
    for turn in range(3):
        for forest in forests:
            name = forest.name
            (X, X_test), y = rows_for(forest, table), table.y[0]
            if turn == 0:
                forest.make().fit(X[:200], y[:200])
            if turn == 0 or statistics.median(times[name]) < _LONG:
                models[name] = forest.make()
                times.setdefault(name, []).append(seconds(partial(models[name].fit, X, y)))
            predict = partial(models[name].predict_proba, X_test)
            predict_times.setdefault(name, []).append(seconds(predict))
    reference = statistics.median(times[forests[0].name])
    for position, forest in enumerate(forests):
        model, name = models[forest.name], forest.name
        (X, X_test), y = rows_for(forest, table), table.y[0]
        scores = model.predict_proba(X_test)[:, 1]
        fit = statistics.median(times[name])
        cells = found[name] = {
            "fit s": fit,
            "x RF": fit / reference,
            "predict s": statistics.median(predict_times[name]),
            "accuracy": accuracy_score(truth, scores > 0.5),
            "AUC": roc_auc_score(truth, scores),
            "pickle MB": pickle_size(model),
        }
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            cells["peak MB"] = pool.apply(megabytes_of_fit, (table.name, position))
        if isinstance(model, UnlearningForestClassifier):
            cells["trees MB"] = sys.getsizeof(model._forest) / 1e6
            cells["deployed MB"] = pickle_size(model.to_predictor())
        else:
            cells["deployed MB"] = cells["pickle MB"]
        if forest.forget is not None:
            cells |= time_requests(forest, model, len(y), rng)
        if isinstance(model, UnlearningForestClassifier):
            kept = model.sample_ids_
            rows = X.iloc[kept] if hasattr(X, "iloc") else X[kept]
            again = forest.make().fit(rows, y[kept], sample_ids=kept)
            np.testing.assert_array_equal(model.predict_proba(X_test), again.predict_proba(X_test))
        models[name] = None
    return found


@pytest.mark.parametrize("name", [*SYNTHETIC, *REAL])
def test_forests(benchmark, note, rng, name):
    table = load(name)
    if table is None:  # real tables are not part of the project
        pytest.skip("SKUNLEARN_DATA does not name the folder of real tables")
    forests, absent = competitors()
    found = benchmark.pedantic(compare, (table, forests, rng), rounds=1)
    benchmark.extra_info.update(found)
    n_test = len(table.y[1])
    note(f"{name}: {len(table.y[0]):,} rows, {n_test:,} predicted, {N_JOBS} thread(s)")
    note(line("", COLUMNS))
    for forest_name, cells in found.items():
        note(line(forest_name, texts_of(cells)))
    for reason in absent:
        note(f"left out: {reason}")
    note("")


def test_threads(benchmark, note):
    X, y = synthetic_rows(scaled(100_000))
    times = {1: [], 2: []}

    def one_round():
        for n_jobs, found in times.items():
            model = UnlearningForestClassifier(n_jobs=n_jobs, random_state=0)
            found.append(seconds(lambda model=model: model.fit(X, y)))

    one_round()
    benchmark.pedantic(one_round, rounds=3)
    ratio = statistics.median(times[1][1:]) / statistics.median(times[2][1:])
    benchmark.extra_info["ratio"] = ratio
    note(f"forest of {len(y):,} x 20: two threads fit {ratio:.2f} times as fast as one")
