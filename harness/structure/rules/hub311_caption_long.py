"""HUB311: words beyond the 77th token are cut off without a word."""

from __future__ import annotations

from collections.abc import Iterator

from harness.structure import captions, limits
from harness.structure.folder import Folder
from harness.structure.problem import Problem, Severity

ID = "HUB311"
TITLE = "A caption is longer than CLIP can read"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Count the tokens exactly, start and end token included."""
    for entry in captions.caption_files(folder):
        text = folder.text(entry)
        if text is None or captions.surely_fits(text):
            continue
        from harness.structure import clip_tokens

        count = clip_tokens.count(text[: captions.LONGEST_COUNTED])
        if count > limits.CLIP_TOKENS:
            more = "more than " if len(text) > captions.LONGEST_COUNTED else ""
            yield Problem(
                f"The caption has {more}{count} CLIP tokens; the model reads "
                f"{limits.CLIP_TOKENS} (start and end included) and drops the rest.",
                f"Shorten it by about {count - limits.CLIP_TOKENS} words.",
                entry.path,
                1,
            )
