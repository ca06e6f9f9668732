"""The package without its optional dependencies, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIONAL = [
    "array_api_compat",
    "cupy",
    "dask",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "ray",
    "rich",
    "skops",
]

IMPORT_EVERYTHING = """
import importlib, pkgutil, skunlearn
modules = [info.name for info in pkgutil.walk_packages(skunlearn.__path__, "skunlearn.")]
for name in modules:
    importlib.import_module(name)
assert "skunlearn.base" in modules
"""

HIDE = f"""
import sys
from importlib.machinery import PathFinder
class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.split(".")[0] in {OPTIONAL!r}
        return None if hidden else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""


def run(code):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    outcome = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


@pytest.mark.fast
def test_everything_imports_and_forgets_without_optional_dependencies():
    run(
        HIDE
        + IMPORT_EVERYTHING
        + """
import numpy as np
from skunlearn.preprocessing import StandardScaler
X = np.arange(12.0).reshape(6, 2)
scaler = StandardScaler().fit(X, sample_ids=list("abcdef")).unlearn(["a", "f"])
np.testing.assert_allclose(scaler.mean_, X[1:-1].mean(axis=0))
scaler._repr_html_inner()
"""
    )


@pytest.mark.fast
def test_missing_pandas_is_named_where_it_is_needed():
    printed = run(
        HIDE
        + """
import numpy as np
from skunlearn.preprocessing import StandardScaler
scaler = StandardScaler().fit(np.eye(3), sample_ids=list("abc")).unlearn("a")
try:
    scaler.unlearning_report_.to_frame()
except ImportError as error:
    print(error)
"""
    )
    assert "pip install" in printed
    assert "pandas" in printed


@pytest.mark.fast
def test_importing_loads_no_optional_dependency_and_compiles_nothing():
    run(
        """
import sys
import sklearn.pipeline, sklearn.ensemble, sklearn.utils.estimator_checks
import numba.core.event
before = set(sys.modules)
with numba.core.event.install_recorder("numba:compile") as compiled:
"""
        + "".join(f"    {line}\n" for line in IMPORT_EVERYTHING.splitlines())
        + f"""
loaded = {{name.split(".")[0] for name in set(sys.modules) - before}} & set({OPTIONAL!r})
assert not loaded, loaded
assert not compiled.buffer, compiled.buffer
"""
    )


@pytest.mark.fast
def test_importing_leaves_the_process_as_it_was():
    run(
        """
import logging, signal, warnings
import numpy as np, sklearn, sklearn.pipeline, sklearn.utils.estimator_checks, numba, scipy.sparse
def state():
    root = logging.getLogger()
    return (sklearn.get_config(), np.geterr(), np.get_printoptions(), list(warnings.filters),
            list(root.handlers), root.level, signal.getsignal(signal.SIGINT))
before = state()
"""
        + IMPORT_EVERYTHING
        + "assert state() == before\n"
    )


@pytest.mark.fast
def test_missing_array_api_compat_is_named_where_it_is_needed():
    printed = run(
        HIDE
        + """
import array_api_strict
from skunlearn.preprocessing import StandardScaler
try:
    StandardScaler().fit(array_api_strict.ones((3, 2)))
except ImportError as error:
    print(error)
"""
    )
    assert "pip install array-api-compat" in printed
