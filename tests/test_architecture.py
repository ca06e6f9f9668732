"""Imports run downwards: rooms stand on floors, and one file knows scikit-learn's private names."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import skunlearn

pytestmark = pytest.mark.fast

PACKAGE = Path(skunlearn.__file__).parent

# A module imports from lower floors and from its own room, also where only types are checked.
FLOORS = [
    {"_array_api", "_compat", "_kernels", "_locks", "_privacy", "exceptions"},
    {"_samples"},
    {"_statistics", "_unlearning", "_validation"},
    {"_linalg", "base"},
    {"_mixins", "compose"},
    {
        "cluster",
        "decomposition",
        "discriminant_analysis",
        "ensemble",
        "feature_extraction",
        "feature_selection",
        "gaussian_process",
        "impute",
        "kernel_ridge",
        "linear_model",
        "naive_bayes",
        "neighbors",
        "pipeline",
        "preprocessing",
        "svm",
    },
    {"utils"},
    {"attacks"},
    {"_demo"},
    {"_warm_up"},
    {"__main__"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules():
    """Map the names of all modules to their files."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = ("skunlearn", *file.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def imports_of(name):
    """List what a module imports: (module, names from it), relative imports resolved."""
    found = []
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports by a relative path"
            found.append((node.module, tuple(alias.name for alias in node.names)))
    return found


def ours_in(name):
    """List the modules of ours that a module imports."""
    found = set()
    for module, names in imports_of(name):
        if module.partition(".")[0] == "skunlearn":
            parts = {f"{module}.{part}" for part in names} & MODULES.keys()
            found |= parts if parts and len(parts) == len(names) else parts | {module}
    return found - {name}


def room_of(name):
    return name.split(".")[1] if "." in name else None


def test_every_room_has_a_floor():
    assert {room_of(name) for name in MODULES} - {None} == FLOOR_OF.keys()
    assert sum(map(len, FLOORS)) == len(FLOOR_OF)


def test_imports_run_downwards():
    n_arrows, upwards = 0, []
    for name in MODULES:
        for target in ours_in(name):
            here, there = room_of(name), room_of(target)
            if here is None or there is None or here == there:
                continue
            n_arrows += 1
            if FLOOR_OF[there] >= FLOOR_OF[here]:
                upwards.append(f"{name} imports {target}")
    assert n_arrows > 100
    assert not upwards


def test_modules_import_each_other_in_no_circle():
    graph = {name: ours_in(name) for name in MODULES}
    graph["skunlearn"] = set()  # loads what it is asked for, and nothing before: test_import
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
    assert len(order) == len(MODULES)


def test_kernels_import_nothing_else_of_ours():
    kernels = [name for name in MODULES if room_of(name) == "_kernels"]
    assert len(kernels) > 10
    assert {room_of(target) for name in kernels for target in ours_in(name)} <= {"_kernels"}


def is_private(module, names):
    return any(part.startswith("_") for part in (*module.split("."), *names))


def test_one_file_imports_private_names_of_scikit_learn():
    users = {
        name
        for name in MODULES
        for module, names in imports_of(name)
        if module.partition(".")[0] == "sklearn" and is_private(module, names)
    }
    assert users == {"skunlearn._compat"}


def test_reports_do_not_know_the_base_class():
    assert "skunlearn.base" not in ours_in("skunlearn._unlearning.report")
