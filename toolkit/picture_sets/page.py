"""One self-contained HTML page: every picture beside its caption, and what is wrong.

File names and captions come from strangers: Jinja2 escapes all of them, and the page may not load
or run anything (see its content security policy).
"""

from __future__ import annotations

import base64
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from toolkit.core import atomic
from toolkit.core.templates import render

from .buckets import cut_share, mean_cut, statistics, target_of
from .captions import with_trigger
from .examine import Facts
from .preflight import Report
from .problems import Problem, Severity, shown
from .render import headline, place, verdict

TEMPLATES = Path(__file__).parent / "templates"
# A thumbnail has about 5 kB, so the page stays under 5 MB.
MOST_CARDS = 600
MOST_WORDS = 80
MOST_BUCKETS = 20
# Smaller ones are shown enlarged with their pixels visible.
SMALL_PX = 96


class Card(NamedTuple):
    """One picture on the page."""

    name: str
    image: str
    caption: str
    facts: str
    small: bool
    cut: float  # share of the area that is cut off, in percent
    wide: bool  # cut left and right, not above and below
    marks: list[tuple[Severity, str]]
    severity: Severity | None


def write_page(report: Report, path: Path) -> None:
    """Write the page; the report has to have thumbnails.

    Raises:
        OSError: The file cannot be written.
    """
    cards = cards_of(report)
    uses = report.buckets()
    sizes = [(each.header.width, each.header.height) for each in report.facts]
    text = render(
        TEMPLATES / "preview.html",
        title=report.found.folder.resolve().name or str(report.found.folder),
        report=report,
        headline=headline(report),
        verdict=verdict(report),
        problems=[(problem, place(problem, report)) for problem in report.problems],
        twins=twins_of(report),
        cards=cards[:MOST_CARDS],
        left_out=max(0, len(cards) - MOST_CARDS),
        uses=uses[:MOST_BUCKETS],
        most=max((use.pictures for use in uses), default=1),
        cut=mean_cut(uses),
        with_buckets=mean_cut(statistics(sizes, report.resolution, buckets=True)),
        words=report.words()[:MOST_WORDS],
    )
    atomic.write_text(path, text)


def cards_of(report: Report) -> list[Card]:
    """Return a card for each picture that can be read, those with errors first, then hints."""
    marks: defaultdict[Path, list[tuple[Severity, str]]] = defaultdict(list)
    for problem in report.problems:
        for path in (problem.path, *problem.others):
            marks[path].append((problem.severity, problem.kind))
    cards = [card_of(each, marks[each.picture.path], report) for each in report.facts]
    order = {"error": 0, "hint": 1, None: 2}
    return sorted(cards, key=lambda card: order[card.severity])


def card_of(facts: Facts, marks: list[tuple[Severity, str]], report: Report) -> Card:
    """Return the card of one picture."""
    header = facts.header
    size = (header.width, header.height)
    target = target_of(size, report.resolution, report.config.buckets)
    kinds = {severity for severity, _ in marks}
    turned = f", EXIF {header.orientation}" if header.orientation != 1 else ""
    return Card(
        name=shown(facts.picture.path, report.found.folder),
        image=data_url(facts),
        caption=with_trigger(facts.picture.caption, report.config.trigger_word),
        facts=f"{header.width}×{header.height} {header.format} {header.mode}{turned}",  # noqa: RUF001
        small=max(size) <= SMALL_PX,
        cut=round(100 * cut_share(size, target), 2),
        wide=size[0] * target[1] > size[1] * target[0],
        marks=marks,
        severity="error" if "error" in kinds else "hint" if kinds else None,
    )


def twins_of(report: Report) -> list[tuple[str, list[str]]]:
    """Return each group of pictures that look the same, as (message, their thumbnails)."""
    images = {each.picture.path: data_url(each) for each in report.facts}
    return [
        (problem.message, [images[path] for path in (problem.path, *problem.others)])
        for problem in report.problems
        if is_twin(problem)
    ]


def is_twin(problem: Problem) -> bool:
    """Tell whether a problem is about pictures that look the same."""
    return problem.kind in {"duplicate", "near-duplicate"}


def data_url(facts: Facts) -> str:
    """Return a thumbnail as a data URL."""
    return "data:image/webp;base64," + base64.b64encode(facts.thumbnail).decode("ascii")
