"""The verb `unlearn` in scikit-learn's metadata routing.

scikit-learn keeps a list of the methods that metadata can be routed to and has no public way to
add one. Estimators get `set_unlearn_request` and routers may map `unlearn` once the list names it,
which changes nothing for estimators without the method. To be removed when scikit-learn offers a
way for developers; imbalanced-learn adds its `fit_resample` likewise.
"""

from __future__ import annotations

from skunlearn._compat import methods_with_metadata


def register_verb() -> None:
    """Let metadata be routed to `unlearn`; does nothing the second time."""
    for methods in methods_with_metadata():
        if "unlearn" not in methods:
            methods.append("unlearn")
