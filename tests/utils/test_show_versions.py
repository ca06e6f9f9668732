"""What `show_versions` prints, and that it loads nothing heavy to print it."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy
import pytest

import skunlearn
from skunlearn.utils import _show_versions

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def requirements(lines):
    names = (re.match(r"[\w-]+", line).group() for line in lines)
    return {name.replace("-", "_") for name in names if name != "skunlearn"}


def printed(capsys):
    skunlearn.show_versions()
    return capsys.readouterr().out


@pytest.mark.fast
def test_every_section_is_there(capsys):
    out = printed(capsys)
    titles = [line for line in out.splitlines() if line and line[0] != " "]
    assert titles == ["System", "Packages", "Optional packages", "Thread pools"]
    assert f"    python: {platform.python_version()} " in out
    assert f"    skunlearn: {skunlearn.__version__}\n" in out
    assert f"    numpy: {numpy.__version__}\n" in out
    assert re.search(r"^    \S+: user_api=\w+,.* num_threads=\d+", out, flags=re.MULTILINE)


@pytest.mark.fast
def test_no_path_and_no_host_is_printed(capsys):
    out = printed(capsys)
    assert str(Path.home()) not in out or str(Path.home()) == "/"
    assert str(Path(sys.executable).parent) not in out
    assert platform.node() not in out.split()


@pytest.mark.fast
def test_all_dependencies_are_listed():
    required = {name.replace("-", "_") for name in _show_versions.DEPENDENCIES}
    assert required == requirements(PROJECT["dependencies"])
    extras = PROJECT["optional-dependencies"]
    ours = [extras[extra] for extra in extras if extra not in ("test", "docs", "dev")]
    wanted = set().union(*map(requirements, ours))
    listed = {"cupy_cuda12x" if name == "cupy" else name for name in _show_versions.OPTIONAL}
    assert listed == wanted | {"torch"}


@pytest.mark.fast
def test_optional_packages_are_not_imported():
    code = """
import sys
import sklearn.base # imports pandas if it can
before = set(sys.modules)
import skunlearn
skunlearn.show_versions()
print(*(set(sys.modules) - before), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {*done.stderr.split()}
    assert "skunlearn.utils._show_versions" in imported
    assert not {*_show_versions.OPTIONAL} & imported


@pytest.mark.fast
@pytest.mark.parametrize(
    ("name", "distributions", "said"),
    [
        ("cupy", ["cupy-cuda12x"], "13.0 (cupy-cuda12x)"),
        ("cupy", ["cupy-cuda12x", "cupy-cuda11x"], "12.0 (cupy-cuda11x), 13.0 (cupy-cuda12x)"),
        ("dask", ["dask-extension", "dask", "dask"], "1.5"),
        ("array_api_compat", ["array-api-compat"], "1.11"),
        ("torch", ["torch"], "not installed"),
        ("torch", [None], "not installed"),
    ],
)
def test_versions_come_from_the_metadata(monkeypatch, name, distributions, said):
    known = {
        "cupy-cuda11x": "12.0",
        "cupy-cuda12x": "13.0",
        "dask": "1.5",
        "dask-extension": "7.0",
        "array-api-compat": "1.11",
    }

    def version(distribution):
        if distribution not in known:
            raise _show_versions.PackageNotFoundError
        return known[distribution]

    monkeypatch.setattr(_show_versions, "version", version)
    assert _show_versions._installed(name, distributions) == said
