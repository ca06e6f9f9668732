"""Importing the package is quick, compiles nothing and leaves the process as it was."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import skunlearn

OPTIONAL = {"pandas", "polars", "pyarrow", "matplotlib", "rich", "pytest"}
OPTIONAL |= {"array_api_compat", "cupy", "dask", "ray", "skops"}

# Of one process, in the order in which each can be seen.
FACTS = """
import json, sys, time
started = time.process_time()
import sklearn.ensemble, sklearn.linear_model, sklearn.model_selection, sklearn.pipeline
facts = {"cost of scikit-learn": time.process_time() - started}

import locale, logging, os, random, signal, tempfile, threading, warnings
import numpy
random.seed(0)
numpy.random.seed(0)

def state():
    return [
        repr(sklearn.get_config()),
        repr(logging.root.handlers),
        logging.root.level,
        repr(warnings.filters),
        repr(numpy.get_printoptions()),
        repr(numpy.geterr()),
        repr(sorted(os.environ.items())),
        os.getcwd(),
        sys.getrecursionlimit(),
        sys.getswitchinterval(),
        repr(sys.excepthook),
        repr(signal.getsignal(signal.SIGINT)),
        threading.active_count(),
        numba.get_num_threads(),
        repr(locale.setlocale(locale.LC_ALL)),
        repr(random.getstate()),
        repr(numpy.random.get_state()),
    ]

already = set(sys.modules)
imported = lambda: sorted({name.partition(".")[0] for name in set(sys.modules) - already})
started = time.process_time()
import numba.core.event
cost = time.process_time() - started
before = state()
started = time.process_time()
with numba.core.event.install_recorder("numba:compile") as compilations:
    import skunlearn
    loaded = lambda: sorted(name for name in sys.modules if name.startswith("skunlearn."))
    facts["loaded at first"], facts["listed"] = loaded(), dir(skunlearn)
    names = [name for name in skunlearn.__all__ if name != "show_versions"]
    facts["reached"] = {name: getattr(skunlearn, name).__name__ for name in names}
    assert skunlearn.svm.SVC is sys.modules["skunlearn.svm"].SVC
    assert skunlearn.feature_extraction.text.CountVectorizer
    facts["loaded later"] = loaded()
    from skunlearn.utils.discovery import all_estimators
    from skunlearn.utils import estimator_checks
    all_estimators("unlearner")
    facts["cost"] = cost + time.process_time() - started
    facts["state"] = [before, state()]
    facts["imported"] = imported()

    import importlib, pkgutil
    from numba.core.dispatcher import Dispatcher
    kernels = []
    for info in pkgutil.walk_packages(skunlearn.__path__, "skunlearn."):
        values = vars(importlib.import_module(info.name)).values()
        kernels += [value for value in values if isinstance(value, Dispatcher)]
facts["kernels"] = len(kernels)
facts["compiled"] = len(compilations.buffer) + sum(len(kernel.signatures) for kernel in kernels)
facts["imported with all"] = imported()
names = set(globals()) | {"names"}
from skunlearn import *
facts["starred"] = sorted(set(globals()) - names)
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts():
    """Import the package in a fresh process and return what it saw."""
    done = subprocess.run(
        [sys.executable, "-c", FACTS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.fast
def test_import_compiles_no_kernel(facts):
    assert facts["kernels"] > 0
    assert facts["compiled"] == 0


@pytest.mark.fast
def test_import_changes_no_global_state(facts):
    before, after = facts["state"]
    assert before == after


def test_import_costs_less_than_scikit_learn_itself(facts):
    assert facts["cost"] < facts["cost of scikit-learn"]


@pytest.mark.fast
def test_optional_packages_are_not_imported_with_the_package(facts):
    assert not OPTIONAL & {*facts["imported"], *facts["imported with all"]}


@pytest.mark.fast
def test_the_package_lists_the_public_modules_on_disk():
    on_disk = {
        info.name for info in pkgutil.iter_modules(skunlearn.__path__) if info.name[0] != "_"
    }
    assert set(skunlearn.__all__) - {"show_versions"} == on_disk
    assert sorted(skunlearn.__all__) == sorted(set(skunlearn.__all__))


@pytest.mark.fast
def test_import_loads_no_submodule_and_each_is_reached_by_its_name(facts):
    assert facts["loaded at first"] == []
    assert {*skunlearn.__all__, "__version__"} <= set(facts["listed"])
    assert not [name for name in facts["listed"] if name[0] == "_" and name[:2] != "__"]
    assert facts["reached"] == {name: f"skunlearn.{name}" for name in facts["reached"]}
    assert {f"skunlearn.{name}" for name in facts["reached"]} <= set(facts["loaded later"])


@pytest.mark.fast
def test_import_star_gives_what_is_listed(facts):
    assert facts["starred"] == sorted(skunlearn.__all__)


@pytest.mark.fast
def test_an_unknown_name_raises():
    with pytest.raises(AttributeError, match="module 'skunlearn' has no attribute 'svn'"):
        skunlearn.svn  # noqa: B018
    with pytest.raises(ImportError, match="svn"):
        from skunlearn import svn  # noqa: F401
