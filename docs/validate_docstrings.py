"""Check the docstring of every public name with numpydoc; the checks are chosen in setup.cfg."""

from __future__ import annotations

import configparser
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from numpydoc.validate import get_validation_checks, validate
from public_api import comes_from, public_names


def documented() -> Iterator[str]:
    """Yield the path of every public object and of its own public methods."""
    for module, names in public_names().items():
        for name in names:
            if comes_from(module, name):
                continue
            yield f"{module}.{name}"
            thing = getattr(importlib.import_module(module), name)
            if inspect.isclass(thing):
                for attribute, value in vars(thing).items():
                    if attribute[0] != "_" and callable(getattr(value, "__func__", value)):
                        yield f"{module}.{name}.{attribute}"


def main() -> int:
    """Print what is wrong and return how often."""
    settings = configparser.ConfigParser()
    settings.read(Path(__file__).parents[1] / "setup.cfg")
    chosen = settings["tool:numpydoc_validation"]["checks"].split(",")
    checks = get_validation_checks({check.strip() for check in chosen})
    n_objects = n_errors = 0
    for path in documented():
        n_objects += 1
        for code, message in validate(path)["errors"]:
            if code in checks:
                n_errors += 1
                print(f"{path}: {code} {message}")
    print(f"{n_objects} public docstrings, {n_errors} errors")
    return int(n_errors > 0)


if __name__ == "__main__":
    sys.exit(main())
