"""Captions, and whether each belongs to a picture. HUB302 to HUB304, HUB311 and HUB312."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.check import limits, mending
from harness.check.folder import Entry, Folder, is_junk
from harness.check.problem import Problem, rule
from toolkit.core import clip_tokens


def stem(name: str) -> str:
    """Return a name without its extension, as `rsplit('.', 1)[0]` does in loaders."""
    return name.rsplit(".", 1)[0]


def picture_files(folder: Folder) -> Iterator[Entry]:
    """Yield the files that loaders take for pictures, whatever is inside them."""
    for entry in folder.examined:
        if (
            entry.parent == limits.IMAGES
            and entry.suffix in limits.PICTURE_FORMATS
            and not is_junk(entry.path)
        ):
            yield entry


def caption_files(folder: Folder) -> Iterator[Entry]:
    """Yield the files that loaders take for captions."""
    for entry in folder.examined:
        if (
            entry.parent == limits.CAPTIONS
            and entry.name.endswith(".txt")
            and not is_junk(entry.path)
        ):
            yield entry


@rule("HUB302", "A picture has no caption")
def caption_missing(folder: Folder) -> Iterator[Problem]:
    """A picture without its caption."""
    names = {entry.name for entry in caption_files(folder)}
    folded = {name.casefold(): name for name in names}
    for picture in picture_files(folder):
        wanted = f"{stem(picture.name)}.txt"
        if wanted not in names:
            near = folded.get(wanted.casefold())
            case = f" There is {near!r}: upper and lower case matter." if near else ""
            yield Problem(
                f"The picture {picture.name!r} has no caption {wanted!r}.{case}",
                f"Write {limits.CAPTIONS}/{wanted}: one line that says what the picture shows.",
                picture.path,
            )


@rule("HUB303", "A caption is empty")
def caption_empty(folder: Folder) -> Iterator[Problem]:
    """A caption that says nothing."""
    for entry in caption_files(folder):
        text = folder.text(entry)
        if text is not None and not text.strip():
            yield Problem(
                "The caption is empty: the picture would be trained under no words at all.",
                "Write one line that says what the picture shows.",
                entry.path,
                1,
            )


@rule("HUB304", "A caption belongs to no picture")
def caption_orphan(folder: Folder) -> Iterator[Problem]:
    """A caption without its picture, or a file that no loader reads."""
    stems = {stem(entry.name) for entry in picture_files(folder)}
    prefix = f"{limits.CAPTIONS}/"
    for entry in folder.examined:
        if not entry.path.startswith(prefix) or is_junk(entry.path) or entry.name == ".gitkeep":
            continue
        if entry.parent != limits.CAPTIONS or not entry.name.endswith(".txt"):
            yield Problem(
                "No loader reads this file: captions are .txt files directly in "
                f"{limits.CAPTIONS}.",
                "Move or rename it, or remove it.",
                entry.path,
            )
        elif stem(entry.name) not in stems:
            yield Problem(
                f"There is no picture {stem(entry.name)!r} for this caption.",
                "Rename it after its picture, or remove it.",
                entry.path,
            )


@rule("HUB311", "A caption is longer than CLIP can read")
def caption_long(folder: Folder) -> Iterator[Problem]:
    """Words beyond the 77th token are cut off without a word."""
    # Count the tokens exactly, start and end token included.
    for entry in caption_files(folder):
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


def _mend_caption_lines(file: Path) -> None:
    """Join the lines with spaces."""
    mending.rewrite_text(file, lambda text: " ".join(text.split()) + "\n")


@rule("HUB312", "A caption has several lines", "hint", mend=_mend_caption_lines)
def caption_lines(folder: Folder) -> Iterator[Problem]:
    """Some loaders read the whole file, others its first line."""
    for entry in caption_files(folder):
        text = folder.text(entry)
        lines = text.rstrip().splitlines() if text else []
        if text and text.strip() and len(lines) > 1:
            yield Problem(
                "The caption has several lines; loaders differ in what they make of that.",
                "Put it on one line; `check --fix` joins them.",
                entry.path,
                2,
            )
