"""What the source and binary distributions contain."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import skunlearn

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", "_build"
)
BUILD = "from setuptools import build_meta as b; b.build_sdist({0!r}); b.build_wheel({0!r})"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributions")
    shutil.copytree(ROOT, folder / "source", ignore=LEFT_BEHIND)
    outcome = subprocess.run(
        [sys.executable, "-c", BUILD.format(str(folder))],
        cwd=folder / "source",
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
        (metadata,) = (n for n in in_wheel if n.endswith(".dist-info/METADATA"))
        return in_sdist, in_wheel, archive.read(metadata).decode()


def package_files():
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / "skunlearn").rglob("*")
        if path.suffix in {".py", ".css", ".html", ".typed"}
    }


def test_wheel_is_the_package_and_nothing_else(distributions):
    _, in_wheel, _ = distributions
    assert {name for name in in_wheel if ".dist-info/" not in name} == package_files()
    assert any(name.endswith("LICENSE") for name in in_wheel)


def test_sdist_has_what_it_takes_to_test_and_document(distributions):
    in_sdist, _, _ = distributions
    expected = {
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "CITATION.cff",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "pyproject.toml",
        "setup.cfg",
        ".ci/run",
        ".ci/oldest.txt",
        "docs/conf.py",
        "tests/install/test_distributions.py",
    }
    assert expected | package_files() <= in_sdist
    assert not [
        name for name in in_sdist if "__pycache__" in name or name.startswith("docs/_build")
    ]


def test_metadata(distributions):
    _, _, metadata = distributions
    assert f"Version: {skunlearn.__version__}\n" in metadata
    assert "License-Expression: BSD-3-Clause\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    for name, url in PROJECT["urls"].items():
        assert f"Project-URL: {name}, {url}\n" in metadata
    extras = {
        "arrays",
        "gpu",
        "plot",
        "progress",
        "dask",
        "ray",
        "persistence",
        "test",
        "docs",
        "dev",
    }
    assert all(f"Provides-Extra: {extra}\n" in metadata for extra in extras)


def test_oldest_environment_pins_the_lower_bounds():
    pins = dict(
        line.split("==")
        for line in (ROOT / ".ci" / "oldest.txt").read_text().splitlines()
        if "==" in line
    )
    extras = PROJECT["optional-dependencies"]
    exact = [r for r in extras["arrays"] + extras["test"] if r.startswith("array-api")]
    bounds = dict(requirement.split(">=") for requirement in PROJECT["dependencies"] + exact)
    assert {name: pins[name] for name in bounds} == bounds


def test_citation_agrees_with_the_metadata():
    citation = (ROOT / "CITATION.cff").read_text()
    fields = dict(line.split(": ", 1) for line in citation.splitlines() if ": " in line)
    assert fields["version"] == PROJECT["version"] == skunlearn.__version__
    assert fields["license"] == PROJECT["license"]
    assert [{"name": fields["  - name"]}] == PROJECT["authors"]
    assert fields["repository-code"] == PROJECT["urls"]["Source"]
