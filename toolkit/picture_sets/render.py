"""A report as text for people and as JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

from toolkit.core.templates import render

from .buckets import mean_cut
from .folder import CAPTIONS, IMAGES, METADATA, Layout
from .preflight import Report
from .problems import Problem, shown

LAYOUTS: dict[Layout, str] = {
    "images": f"{IMAGES}/ with {CAPTIONS}/",
    "metadata": f"captions in {METADATA}",
    "sidecars": "captions in .txt files beside them",
    "pictures": "no captions",
}
MOST_WORDS = 12
MOST_BUCKETS = 12


def as_text(report: Report) -> str:
    """Return the report as lines of text."""
    uses = report.buckets()
    return render(
        Path(__file__).with_name("templates") / "report.md",
        report=report,
        headline=headline(report),
        problems=[(problem, place(problem, report)) for problem in report.problems],
        uses=uses,
        cut=mean_cut(uses),
        most=MOST_BUCKETS,
        words=report.words()[:MOST_WORDS],
        verdict=verdict(report),
    )


def headline(report: Report) -> str:
    """Return what the folder is, in one line."""
    count = len(report.found.pictures)
    pictures = "1 picture" if count == 1 else f"{count:,} pictures"
    items = f", {report.items:,} items" if report.items != count else ""
    return f"{pictures}{items}, {LAYOUTS[report.found.layout]}"


def verdict(report: Report) -> str:
    """Return what to think of it, in one sentence."""
    hints = len(report.problems) - report.errors
    words = [
        f"{number} {noun}{'' if number == 1 else 's'}"
        for number, noun in ((report.errors, "error"), (hints, "hint"))
        if number
    ]
    if report.errors:
        return f"{' and '.join(words)}. Training would refuse this folder."
    return f"Ready to train{'; ' + words[0] if words else ''}."


def place(problem: Problem, report: Report) -> str:
    """Return where a problem is: a file, with its line if it has one."""
    name = shown(problem.path, report.found.folder)
    name = str(report.found.folder) if name == "." else name
    return f"{name}:{problem.line}" if problem.line else name


def as_json(report: Report) -> str:
    """Return the report as JSON, paths relative to the folder."""
    folder = report.found.folder
    return json.dumps(
        {
            "folder": str(folder),
            "layout": report.found.layout,
            "resolution": report.resolution,
            "settings": report.config.model_dump(),
            "items": report.items,
            "errors": report.errors,
            "problems": [
                {
                    **{word: getattr(problem, word) for word in ("severity", "kind")},
                    "at": place(problem, report),
                    **{word: getattr(problem, word) for word in ("message", "fix")},
                    "others": [shown(path, folder) for path in problem.others],
                }
                for problem in report.problems
            ],
            "pictures": [
                {
                    "file": shown(each.picture.path, folder),
                    "caption": each.picture.caption,
                    "caption_at": each.picture.caption_at,
                    "width": each.header.width,
                    "height": each.header.height,
                    "format": each.header.format,
                    "mode": each.header.mode,
                    "sha256": each.content,
                }
                for each in report.facts
            ],
            "buckets": [
                {"size": use.size, "pictures": use.pictures, "cut": round(use.cut, 4)}
                for use in report.buckets()
            ],
            "words": dict(report.words()),
        },
        indent=2,
        ensure_ascii=False,
    )
