"""Plots as inline SVG that takes its colours from the page."""

from __future__ import annotations

import html
import io
import re
from typing import Any

from skunlearn._demo._displays import (
    ATTACK_COLOURS,
    GRID,
    INK,
    AttackRocDisplay,
    RequestTimeDisplay,
    RetrainGapDisplay,
)
from skunlearn._demo._words import TableResult

_NO_PLOTS = "No plots: they need matplotlib (pip install 'skunlearn[plot]')."
_CAPTIONS: dict[Any, str] = {
    RequestTimeDisplay: "Time per request: each dot one id, the diamond 5 % of the ids in one "
    "request, the bar the median refit of scikit-learn's model.",
    AttackRocDisplay: "The attacker who sees both versions and knows the true label: share of "
    "forgotten rows caught against share of never-seen rows accused. On the dashed line: guessing. "
    "Shaded: fewer than 10 never-seen rows.",
    RetrainGapDisplay: "Distance from the retrained model: hollow before forgetting, filled after. "
    "The tick is what the model promises; at the left edge, equal bit for bit.",
}


def figures(result: TableResult, number: int) -> str:
    """Draw the plots of one table.

    Parameters
    ----------
    result : TableResult
        What was measured.

    number : int
        Place of the table on the page, which keeps ids inside the plots apart.

    Returns
    -------
    markup : str
        Figures, or a note where matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        return f'<p class="meta">{html.escape(_NO_PLOTS)}</p>'
    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "skunlearn",
        "font.size": 9,
        "legend.fontsize": 8,
    }
    shown = []
    for position, (display, caption) in enumerate(_CAPTIONS.items()):
        with mpl.rc_context(style):
            figure = Figure(figsize=(4.1, 3.3), layout="constrained")
            display(result.outcomes).plot(figure.subplots())
            shown.append(
                f"<figure>{inline_svg(figure, f't{number}p{position}-', caption)}"
                f"<figcaption>{html.escape(caption)}</figcaption></figure>"
            )
    return "".join(shown)


def inline_svg(figure: Any, prefix: str, label: str) -> str:
    """Render a matplotlib figure for use inside a page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn in the placeholder colours of :mod:`skunlearn._demo._displays`.

    prefix : str
        Put before every id, since ids are shared by all of the page.

    label : str
        What the plot shows, for who cannot see it.

    Returns
    -------
    svg : str
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<svg[^>]*(viewBox=\"[^\"]*\")[^>]*>", r"<svg \1>", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace(INK, "currentColor").replace(GRID, "var(--line)")
    for position, colour in enumerate(ATTACK_COLOURS):
        svg = svg.replace(colour, f"var(--c{position})")
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1)
