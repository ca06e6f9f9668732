"""The package without its optional dependencies, in a process of its own."""

import json
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
    "pytest",
    "ray",
    "rich",
    "skops",
]

WITHOUT = f"""
import sys
from importlib.machinery import PathFinder
class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.split(".")[0] in {OPTIONAL!r}
        return None if hidden else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Finder

import importlib, json, pkgutil, skunlearn
modules = [info.name for info in pkgutil.walk_packages(skunlearn.__path__, "skunlearn.")]
for name in modules:
    importlib.import_module(name)
assert "skunlearn.base" in modules

import array_api_strict
import numpy as np
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks
X = np.arange(12.0).reshape(6, 2)
scaler = StandardScaler().fit(X, sample_ids=list("abcdef")).unlearn(["a", "f"])
np.testing.assert_allclose(scaler.mean_, X[1:-1].mean(axis=0))
scaler._repr_html_inner()

said = {{}}
for what, action in {{
    "frame": scaler.unlearning_report_.to_frame,
    "checks": lambda: parametrize_with_unlearning_checks([scaler]),
    "arrays": lambda: StandardScaler().fit(array_api_strict.ones((3, 2))),
}}.items():
    try:
        action()
    except ImportError as error:
        said[what] = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    """Return what is said where something is missing, after everything else worked."""
    outcome = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


@pytest.mark.fast
def test_everything_imports_and_forgets_and_what_is_missing_is_named(said):
    assert said.keys() == {"frame", "checks", "arrays"}


@pytest.mark.fast
@pytest.mark.parametrize(
    ("what", "package"),
    [("frame", "pandas"), ("checks", "pytest"), ("arrays", "array-api-compat")],
)
def test_a_missing_package_is_named_where_it_is_needed(said, what, package):
    assert f"pip install {package}" in said[what]
