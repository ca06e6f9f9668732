"""Machine unlearning as an ordinary verb of scikit-learn: fit, unlearn, predict.

Importing the package loads no module of it: ``import skunlearn`` is enough to write
``skunlearn.svm.SVC``, which loads ``skunlearn.svm`` when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skunlearn.utils._show_versions import show_versions

__version__ = "0.1.0.dev0"

_SUBMODULES = (
    "attacks",
    "base",
    "cluster",
    "compose",
    "decomposition",
    "discriminant_analysis",
    "ensemble",
    "exceptions",
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
    "utils",
)

__all__ = [*_SUBMODULES, "show_versions"]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"skunlearn.{name}")
    if name == "show_versions":
        from skunlearn.utils._show_versions import show_versions

        return show_versions
    raise AttributeError(f"module 'skunlearn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
