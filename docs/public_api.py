"""The public names of the package, found by walking it: nothing is listed by hand."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import skunlearn


def public_modules() -> list[ModuleType]:
    """Import the package and every module of it whose path has no private part."""
    names = [
        info.name
        for info in pkgutil.walk_packages(skunlearn.__path__, "skunlearn.")
        if not any(part.startswith("_") for part in info.name.split("."))
    ]
    return [skunlearn, *(importlib.import_module(name) for name in sorted(names))]


def public_names() -> dict[str, list[str]]:
    """Map each public module that offers anything to the names in its ``__all__``.

    Modules in it are left out, as they have their own entry.
    """
    offers = {
        module.__name__: sorted(
            name
            for name in vars(module).get("__all__", ())
            if not isinstance(getattr(module, name), ModuleType)
        )
        for module in public_modules()
    }
    return {module: names for module, names in offers.items() if names}


def comes_from(module: str, name: str) -> str:
    """Return the public path of a name of scikit-learn's that a module hands on, else ''."""
    home = getattr(getattr(importlib.import_module(module), name), "__module__", None) or ""
    is_theirs = home.startswith("sklearn.")
    return f"{module.replace('skunlearn', 'sklearn', 1)}.{name}" if is_theirs else ""
