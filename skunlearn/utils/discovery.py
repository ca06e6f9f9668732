"""Find every public estimator of the package."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

from sklearn.base import BaseEstimator

import skunlearn

__all__ = ["all_estimators"]


def all_estimators() -> list[tuple[str, type]]:
    """List the public estimators of skunlearn.

    Returns
    -------
    estimators : list of (name, class)
        Every class in the `__all__` of a public module that is a scikit-learn estimator, by name.

    Examples
    --------
    >>> from skunlearn.utils.discovery import all_estimators
    >>> "StandardScaler" in dict(all_estimators())
    True
    """
    found = {}
    for info in pkgutil.walk_packages(skunlearn.__path__, "skunlearn."):
        if any(part.startswith("_") for part in info.name.split(".")):
            continue
        module = import_module(info.name)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if (
                inspect.isclass(value)
                and issubclass(value, BaseEstimator)
                and not inspect.isabstract(value)
            ):
                found[name] = value
    return sorted(found.items())
