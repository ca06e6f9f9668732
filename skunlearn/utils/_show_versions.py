"""What a bug report has to say about the machine and the packages on it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from threadpoolctl import threadpool_info

import skunlearn

DEPENDENCIES = ("scikit-learn", "numpy", "scipy", "numba", "joblib", "threadpoolctl")
# By the names under which they are imported: CuPy's distributions bear that of a CUDA version too.
OPTIONAL = (
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
    "torch",
)


def show_versions() -> None:
    """Print the versions of Python, of this package and of what it uses, for a bug report.

    Optional dependencies are looked up and not imported. No user, host or folder is named, so that
    the text can be published as it is.

    See Also
    --------
    sklearn.show_versions : The same for scikit-learn, with paths of files.

    Examples
    --------
    >>> import skunlearn
    >>> skunlearn.show_versions()  # doctest: +ELLIPSIS
    System
        python: ...
        platform: ...
    <BLANKLINE>
    Packages
        skunlearn: ...
        scikit-learn: ...
    """
    print("\n\n".join(_sections()))


def _sections() -> Iterator[str]:
    yield _section("System", _system())
    required = [f"{name}: {_installed(name, [name])}" for name in DEPENDENCIES]
    yield _section("Packages", [f"skunlearn: {skunlearn.__version__}", *required])
    held_by = packages_distributions()
    optional = [f"{name}: {_installed(name, held_by.get(name, [name]))}" for name in OPTIONAL]
    yield _section("Optional packages", optional)
    yield _section("Thread pools", [_pool(pool) for pool in threadpool_info()])


def _section(title: str, lines: list[str]) -> str:
    return "\n    ".join([title, *(lines or ["none"])])


def _system() -> list[str]:
    return [
        f"python: {platform.python_version()} ({platform.python_implementation()})",
        f"platform: {platform.platform()}",
        f"machine: {platform.machine()}",
        f"CPUs: {os.cpu_count()}",
    ]


def _installed(name: str, distributions: list[str]) -> str:
    """Return the version of a package as its metadata state it, without importing it.

    Another distribution than the namesake is named beside the version. If there are several of
    them, as when CuPy was installed for two versions of CUDA, this may well be the bug.
    """
    others = sorted(set(filter(None, distributions)))  # broken metadata lack the name
    namesakes = [other for other in others if _normalized(other) == _normalized(name)]
    found = []
    for distribution in namesakes or others:
        try:
            number = version(distribution)
        except PackageNotFoundError:
            continue
        found.append(f"{number}" if namesakes else f"{number} ({distribution})")
    return ", ".join(found) or "not installed"


def _normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _pool(pool: Mapping[str, object]) -> str:
    """Describe a thread pool without the path of its library."""
    of_interest = ("user_api", "version", "num_threads", "threading_layer", "architecture")
    said = [f"{key}={pool[key]}" for key in of_interest if pool.get(key) is not None]
    return f"{pool['prefix']}: {', '.join(said)}"
