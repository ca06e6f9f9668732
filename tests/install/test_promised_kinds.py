"""The kinds that the README and the user guide state are those of the tags."""

import importlib
import re
from pathlib import Path

import pytest

from skunlearn.utils import get_unlearning_tags

ROOT = Path(__file__).parents[2]


def kind_of(module, name):
    return get_unlearning_tags(getattr(importlib.import_module(module), name)())


def readme_rows():
    text = (ROOT / "README.md").read_text("utf-8")
    table = text.split("## What is there\n\n")[1].split("\n\n")[0]
    modules = []
    for line in table.splitlines()[2:]:
        where, what, kind = (cell.strip() for cell in line.strip("|").split("|"))
        modules = re.findall(r"`([\w.]+)`", where) or modules
        for name in re.findall(r"`([A-Z]\w+)`", what.partition(":")[0]):
            (home,) = (m for m in modules if hasattr(importlib.import_module(m), name))
            yield home, name, kind


def guide_rows():
    text = (ROOT / "docs" / "user_guide" / "preprocessing.rst").read_text("utf-8")
    for part in text.split(".. currentmodule:: ")[1:]:
        module = part.split("\n", 1)[0]
        for row in part.split("   * - ")[1:]:
            name, kind, _, _ = row.split("\n     - ")
            for found in re.findall(r":class:`(\w+)`", name):
                yield module, found, " ".join(kind.split())


@pytest.mark.fast
def test_readme():
    rows = list(readme_rows())
    assert len(rows) > 50
    for module, name, said in rows:
        if re.match("as |not: ", said) or name in ("SISAClassifier", "SISARegressor"):
            continue
        assert kind_of(module, name).kind in re.split(r"[^a-z]+", said), (module, name, said)


@pytest.mark.fast
def test_user_guide():
    rows = list(guide_rows())
    for module in ("preprocessing", "impute", "feature_selection", "feature_extraction.text"):
        listed = {name for home, name, _ in rows if home == f"skunlearn.{module}"}
        offered = importlib.import_module(f"skunlearn.{module}").__all__
        assert listed == {name for name in offered if name[0].isupper()}
    for module, name, said in rows:
        tags = kind_of(module, name)
        kind = tags.kind if tags.tolerance is None else f"{tags.kind}, {tags.tolerance:.0e}"
        assert said.split(";")[0] == kind.replace("e-0", "e-"), (module, name, said)
