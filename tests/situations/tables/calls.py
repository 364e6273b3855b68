"""Wrong calls: a sentence and where the options stand, never a page of usage lines."""

from __future__ import annotations

from tests.situations.situation import Situation, good

PART = "Wrong calls"
LISTED = "--help lists the options"


def row(title, happens, typed, says, code=2, files=None) -> Situation:
    return Situation(PART, title, happens, files or {}, typed, code, says, hides=("usage:",))


CASES = [
    row("`dataset` alone", "refused: a command is missing", "dataset", ("missing: command",)),
    row("`dataset check` without a folder", "refused", "dataset check", ("missing: DIR", LISTED)),
    row(
        "a misspelt option of `dataset`",
        "refused: it is named",
        "dataset check photos --resolutoin 64",
        ("--resolutoin", LISTED),
        files=good(),
    ),
    row("drawing without a prompt", "refused: an example", "draw", ("say what to draw", LISTED)),
    row(
        "a misspelt option of the reference",
        "refused: it is named",
        "reference --stpes 5",
        ("--stpes", LISTED),
    ),
    row(
        "`scrape` without a query",
        "refused: nothing is fetched",
        "scrape --count 5 --out new",
        ("say what to look for", LISTED),
    ),
    row("`lora inspect` without a file", "refused", "lora inspect", ("missing: file", LISTED)),
]
