"""Reports say what happened, in text, in HTML and as a frame."""

from __future__ import annotations

import dataclasses
import pickle
import sys
from html.parser import HTMLParser

import pytest

from skunlearn._unlearning.report import KINDS, Guarantee, StepReport, UnlearningReport, table_html

pytestmark = pytest.mark.fast

REPORT = UnlearningReport(
    "SISAClassifier",
    n_requested=1200,
    n_removed=3400,
    n_remaining=56_000,
    seconds=0.0123,
    guarantee=Guarantee("numerical", "state", 1e-9, 2.5e-14),
    n_refitted=2,
    n_parts=10,
    part="shard",
    steps=(StepReport("scale <x>", "pushed through", 2e-6),),
)


class Balanced(HTMLParser):
    """Collects the text and checks that tags close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_text_names_all_that_counts():
    text = str(REPORT)
    for part in (
        "SISAClassifier.unlearn",
        "1,200",
        "3,400",
        "56,000",
        "12.3 ms",
        "2 of 10",
        "shards refitted",
        "numerical (state, tolerance 1e-09, error 2.5e-14)",
        KINDS["numerical"],
        "pushed through, 2 µs",
    ):
        assert part in text


def test_html_says_the_same_and_is_escaped():
    parser = Balanced()
    parser.feed(REPORT._repr_html_())
    assert not parser.open
    assert "step scale <x>" in parser.text
    assert "scale <x>" not in REPORT._repr_html_()
    assert "56,000" in parser.text
    assert "&lt;b&gt;" in table_html("<b>", [])


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.0, "12 s"), (0.5, "500 ms"), (3e-5, "30 µs"), (0.0, "0 µs")]
)
def test_time_is_told_in_a_unit_that_suits_it(seconds, text):
    assert text in str(dataclasses.replace(REPORT, seconds=seconds))


def test_frame_has_one_row_with_every_number():
    pytest.importorskip("pandas")
    frame = REPORT.to_frame()
    assert len(frame) == 1
    row = frame.iloc[0]
    assert row["n_removed"] == 3400
    assert row["kind"] == "numerical"
    assert row["error"] == 2.5e-14
    assert row["part"] == "shard"


def test_frame_without_pandas_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        REPORT.to_frame()


def test_reports_cannot_be_changed_and_can_be_pickled():
    with pytest.raises(dataclasses.FrozenInstanceError):
        REPORT.n_remaining = 0
    assert pickle.loads(pickle.dumps(REPORT)) == REPORT


@pytest.mark.parametrize(
    ("guarantee", "text"),
    [
        (Guarantee("bitwise"), "bitwise (state)"),
        (Guarantee("bounded", bound=0.01), "bounded (state, bound 0.01)"),
        (
            Guarantee("certified", "output", epsilon=1.0, delta=1e-5),
            "certified (output, epsilon 1, delta 1e-05)",
        ),
    ],
)
def test_guarantees_name_what_was_measured(guarantee, text):
    assert str(guarantee) == text
