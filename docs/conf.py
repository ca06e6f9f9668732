"""Sphinx settings. Nothing is fetched: the documentation builds without a network."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from public_api import comes_from, public_names  # noqa: E402

import skunlearn  # noqa: E402

project = "skunlearn"
author = "The skunlearn developers"
copyright = "the skunlearn developers"
release = version = skunlearn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "myst_parser",
]
exclude_patterns = ["_build", "examples", "api/_*"]
templates_path = ["_templates"]
default_role = "literal"
nitpicky = True

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
copybutton_prompt_text = ">>> |\\.\\.\\. |\\$ "
copybutton_prompt_is_regexp = True
copybutton_copy_empty_lines = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "abort_on_example_error": True,
    "plot_gallery": "True",
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "image_scrapers": ("matplotlib",),
}
warnings.filterwarnings("error", module="__main__")  # examples are code too

html_theme = "pydata_sphinx_theme"
html_title = "skunlearn"
html_static_path = ["_static"]
html_css_files = ["skunlearn.css"]
html_show_sourcelink = False
html_sidebars = {"index": [], "quick_start": [], "changelog": [], "api/index": []}
html_theme_options = {
    "logo": {"text": "skunlearn"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "navigation_depth": 3,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def write_if_new(path: Path, text: str) -> None:
    """Write a generated page, but leave an equal one alone so that it is not built again."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def heading(text: str, underline: str) -> list[str]:
    """Return a title and its underline."""
    return ["", text, underline * len(text), ""]


def write_api_page() -> None:
    """List every public name, module by module, each on a page of its own."""
    lines = [
        *heading("API reference", "="),
        "Generated from the package: what is not on this page is private and may change.",
    ]
    for module, exported in public_names().items():
        namesake = [path for name in exported if (path := comes_from(module, name))]
        lines += [
            *heading(module.removeprefix("skunlearn."), "-"),
            f".. automodule:: {module}",
            "   :no-members:",
            "",
            f".. currentmodule:: {module}",
            "",
            ".. autosummary::",
            "   :toctree: generated",
            "   :nosignatures:",
            "",
            *(f"   {name}" for name in exported if not comes_from(module, name)),
        ]
        if namesake:
            links = ", ".join(f":func:`~{path}`" for path in namesake)
            lines += ["", f"Also here, from scikit-learn: {links}."]
    write_if_new(DOCS / "api" / "index.rst", "\n".join(lines).lstrip() + "\n")


def write_changelog() -> None:
    """Join the released versions and what the fragments say about the next one."""
    released = (DOCS.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "towncrier", "build", "--draft"]
    command += ["--version", "Next version", "--date", f"now {release}"]
    draft = subprocess.run(
        command, cwd=DOCS.parent, check=True, text=True, encoding="utf-8", stdout=subprocess.PIPE
    ).stdout
    mark = "<!-- released versions start here -->"
    write_if_new(DOCS / "changelog.md", released.replace(mark, draft))


def link_outside(
    app: Sphinx, env: Any, node: nodes.Element, content: nodes.Element
) -> nodes.Element | None:
    """Link names of scikit-learn and NumPy by the pattern of their sites, without an inventory."""
    target = node.get("reftarget", "")
    if node.get("reftype") == "term":  # in what is inherited from scikit-learn
        url = f"https://scikit-learn.org/stable/glossary.html#term-{target}"
    elif target.startswith("sklearn."):
        folder = "api" if target in sys.modules else "modules/generated"
        url = f"https://scikit-learn.org/stable/{folder}/{target}.html"
    elif target.startswith("numpy."):
        url = f"https://numpy.org/doc/stable/reference/generated/{target}.html"
    else:
        return None
    return nodes.reference("", "", content, internal=False, refuri=url)


def skip_inherited_from_scikit_learn(
    app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Document the methods that this package writes, and those only."""
    home = getattr(member, "__module__", None) or ""
    return True if home.startswith("sklearn.") else None


def setup(app: Sphinx) -> None:
    """Generate pages and connect the two hooks."""
    write_api_page()
    write_changelog()
    app.connect("missing-reference", link_outside)
    app.connect("autodoc-skip-member", skip_inherited_from_scikit_learn)
