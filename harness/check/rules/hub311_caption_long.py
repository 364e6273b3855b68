"""HUB311: words beyond the 77th token are cut off without a word."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import captions
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from toolkit.core import clip_tokens

ID = "HUB311"
TITLE = "A caption is longer than CLIP can read"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Count the tokens exactly, start and end token included."""
    for entry in captions.caption_files(folder):
        text = folder.text(entry)
        if text is None or clip_tokens.surely_fits(text):
            continue

        count = clip_tokens.count(text[: clip_tokens.LONGEST_COUNTED])
        if count > clip_tokens.CLIP_TOKENS:
            more = "more than " if len(text) > clip_tokens.LONGEST_COUNTED else ""
            yield Problem(
                f"The caption has {more}{count} CLIP tokens; the model reads "
                f"{clip_tokens.CLIP_TOKENS} (start and end included) and drops the rest.",
                f"Shorten it by about {count - clip_tokens.CLIP_TOKENS} words.",
                entry.path,
                1,
            )
