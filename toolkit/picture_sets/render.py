"""A report as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .buckets import mean_cut
from .folder import CAPTIONS, IMAGES, METADATA, Layout
from .preflight import Report
from .problems import Problem, shown

LAYOUTS: dict[Layout, str] = {
    "images": f"{IMAGES}/ with {CAPTIONS}/",
    "metadata": f"captions in a list ({METADATA} or its kind)",
    "sidecars": "captions in .txt files beside them",
    "folders": "captions from the names of the folders",
    "pictures": "no captions",
}
MOST_WORDS = 12
MOST_BUCKETS = 12


def as_text(report: Report) -> str:
    """Return the report as lines of text."""
    return "\n".join(_lines(report))


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


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.found.folder}: {headline(report)}"
    for problem in report.problems:
        yield ""
        yield f"{problem.severity}[{problem.kind}] {problem.message}"
        yield f"  at   {place(problem, report)}"
        yield f"  fix  {problem.fix}"
    if report.facts:
        yield ""
        uses = report.buckets()
        kind = "buckets" if report.config.buckets else "squares"
        yield f"{kind} at {report.resolution} px, {mean_cut(uses):.0%} of the area is cut off:"
        for use in uses[:MOST_BUCKETS]:
            width, height = use.size
            yield f"  {width:>4}x{height:<4}  {use.pictures:>5}  {use.cut:4.0%} cut"
        if len(uses) > MOST_BUCKETS:
            yield f"  and {len(uses) - MOST_BUCKETS} more"
    words = report.words()[:MOST_WORDS]
    if words:
        yield ""
        yield "words: " + ", ".join(f"{word} {count}" for word, count in words)
    yield ""
    yield verdict(report)


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
                    "severity": problem.severity,
                    "kind": problem.kind,
                    "at": place(problem, report),
                    "message": problem.message,
                    "fix": problem.fix,
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
