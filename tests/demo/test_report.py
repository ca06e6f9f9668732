import html
import html.parser
import re
import sys
from collections import Counter
from dataclasses import replace

import pytest

from skunlearn._demo._command import run_table
from skunlearn._demo._html import build_report, write_atomically
from skunlearn._demo._terminal import render
from skunlearn._demo._words import PRIVACY, findings


@pytest.fixture(scope="module")
def module_results():
    return {}


@pytest.fixture
def results(module_results, make_table, ridge):
    if not module_results:
        awkward = make_table(name="<b>toy</b> & $more", n_classes=2)
        awkward = replace(awkward, notes=("Column <script>alert(1)</script> was left out.",))
        module_results["all"] = [
            run_table(awkward, [ridge], 0),
            run_table(make_table(name="numbers", n_classes=0), [ridge], 0),
        ]
    return module_results["all"]


class _Reader(html.parser.HTMLParser):
    void = {"meta", "br", "hr", "img", "input", "link"}

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.links, self.tags = [], [], [], Counter()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        names = ("src", "href", "xlink:href", "data", "srcset", "action", "poster")
        self.links += [attributes[name] for name in names if name in attributes]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.void:
            self.open.pop()


def test_page_is_well_formed_and_self_contained(results):
    page = build_report(results, seed=3)
    reader = _Reader(page)
    assert reader.open == []
    assert "http" not in page
    assert "@import" not in page
    assert {link[0] for link in reader.links} <= {"#"}
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert not {"script", "link", "img", "iframe"} & set(reader.tags)


def test_ids_are_unique_and_references_resolve(results):
    pytest.importorskip("matplotlib")
    page = build_report(results, seed=0)
    reader = _Reader(page)
    assert [name for name, count in Counter(reader.ids).items() if count > 1] == []
    referred = {link[1:] for link in reader.links} | set(re.findall(r"url\(#([^)]*)\)", page))
    assert referred <= set(reader.ids)


def test_page_follows_light_and_dark_and_small_screens(results):
    page = build_report(results, seed=0)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert page.count('<div class="scroll"') == page.count("<table")
    assert not re.search(r"#f000[0-9a-f]{2}", page)


def test_plots_are_inline(results):
    pytest.importorskip("matplotlib")
    page = build_report(results, seed=0)
    assert page.count("<svg") == page.count("<figure>") == 6
    assert "currentColor" in page
    assert "var(--c0)" in page


def test_without_matplotlib_a_note_takes_the_plots_place(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = build_report(results, seed=0)
    assert "<svg" not in page
    assert "skunlearn[plot]" in page


def test_names_from_data_are_escaped(results):
    page = build_report(results, seed=0)
    assert "<b>toy" not in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&amp; $more" in page


def test_page_says_what_matters(results):
    page = build_report(results, seed=41)
    assert "Forgotten as promised" in page
    assert "seed 41" in page
    assert html.escape(PRIVACY) in page
    assert page.index("Forgotten as promised") < page.index("What was done")


def test_broken_promise_is_the_headline(results):
    outcome = results[0].outcomes[0]
    gap = replace(outcome.difference, largest=0.3)
    broken = [replace(results[0], outcomes=[replace(outcome, difference=gap)])]
    assert "Not forgotten as promised" in build_report(broken, seed=0)
    assert "is not what retraining gives: Ridge on" in findings(broken)[0]
    assert "NO: 3e-01" in render(broken)


@pytest.mark.parametrize("width", [60, 80, 99, 100, 300])
def test_terminal_table_fits(results, width):
    text = render(results, width)
    assert max(map(len, text.splitlines())) <= max(80, min(width, 100))
    assert "\x1b" not in text
    assert text.count("Ridge") == (4 if width >= 100 else 6)
    assert "R²" in text
    assert "Exact unlearning is not privacy" in " ".join(text.split())
    assert "fewer than 10 of the" in " ".join(text.split())


def test_write_is_all_or_nothing(tmp_path):
    path = tmp_path / "report.html"
    write_atomically(path, "first ±")
    write_atomically(path, "second ±")
    assert path.read_text(encoding="utf-8") == "second ±"
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "lone \ud800 surrogate")
    assert path.read_text(encoding="utf-8") == "second ±"
    assert list(tmp_path.iterdir()) == [path]


def test_mixed_table_is_reported(make_mixed, piped_ridge):
    result = run_table(make_mixed(n=240), [piped_ridge], 0)
    text, page = (
        " ".join(render([result]).split()),
        build_report([result], seed=0).replace("&nbsp;", " "),
    )
    for shown in (text, page):
        assert "8 columns (5 numeric, 3 text, 3 with missing values)" in shown
        assert "Every model here is a pipeline" in shown
        assert re.search(r"\d unlearned, 1 pushed through|\d refitted", shown)
        assert "Pipelines forget in every step" in shown
    assert "which way the steps went" in text
    assert '<th scope="rowgroup"' in page
    assert _Reader(page).open == []
