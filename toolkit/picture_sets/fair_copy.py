"""Write a clean copy of a set of pictures: the originals are read and never changed.

Upright, RGB, without metadata; names that work on every system; captions on one line, normalised
and short enough; of pictures that are the same, or nearly, one.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from toolkit.core.clip_tokens import CLIP_TOKENS
from toolkit.core.clip_tokens import count as count_tokens
from toolkit.core.errors import DataSetError
from toolkit.images.decode import load_rgb
from toolkit.images.normalise import SUFFIXES, encoded, plain_rgb

from .captions import SUFFIX, one_line
from .duplicates import equal_groups, near_groups
from .examine import Facts, Progress, examine
from .folder import CAPTIONS, IMAGES, Picture

LONGEST_STEM = 80
# Windows keeps these for devices, with any extension.
RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)$")
# What says where pictures come from goes along.
PAPERS = ("ATTRIBUTION.md", "sources.jsonl", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE.md")


class Copied(NamedTuple):
    """What became of one picture."""

    source: Path
    name: str  # in the copy's Images/, "" when it was left out
    notes: tuple[str, ...]  # what was changed, or why it was left out


def fair_copy(
    pictures: Sequence[Picture],
    out: Path,
    *,
    papers_from: Path | None = None,
    progress: Progress | None = None,
) -> list[Copied]:
    """Copy pictures and captions into a new folder in the hub's layout.

    Args:
        pictures: With their captions.
        out: The folder to make. It is there when it is complete, or not at all.
        papers_from: A folder whose licence and source files are copied too.
        progress: Hears of each picture that was looked at.

    Returns:
        What became of each picture, in order.

    Raises:
        DataSetError: ``out`` is in use, or no picture is left.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataSetError(
            f"{out} is not empty.", where=str(out), fix="Name a folder that is not there yet."
        )
    facts, problems = examine(pictures, progress=progress)
    left_out = {problem.path: problem.message for problem in problems}
    left_out |= _duplicates(facts)
    by_path = {one.picture.path: one for one in facts}
    if all(picture.path in left_out for picture in pictures):
        raise DataSetError(
            "No picture is left for a copy.",
            where=str(out),
            fix="`check` says what is wrong with each.",
        )
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a copy that was interrupted
    try:
        copied = []
        names: set[str] = set()
        for picture in pictures:
            if picture.path in left_out:
                copied.append(Copied(picture.path, "", (left_out[picture.path],)))
            else:
                copied.append(_copy(by_path[picture.path], part, names))
        for name in PAPERS:
            if papers_from is not None and (papers_from / name).is_file():
                shutil.copyfile(papers_from / name, part / name)
        if out.is_dir():
            out.rmdir()  # empty, as was made sure of above
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return copied


def _duplicates(facts: Sequence[Facts]) -> dict[Path, str]:
    """Return the pictures to leave out because a better one says the same."""
    reasons: dict[Path, str] = {}
    for word, groups in (
        ("the same file as", equal_groups([one.content for one in facts])),
        ("nearly the same as", near_groups([one.print for one in facts])),
    ):
        for group in groups:
            # The largest stays; of equals the first.
            best = max(group, key=lambda i: (facts[i].header.width * facts[i].header.height, -i))
            for i in group:
                if i != best:
                    other = facts[best].picture.path.name
                    reasons.setdefault(facts[i].picture.path, f"{word} {other}")
    return reasons


def _copy(facts: Facts, out: Path, names: set[str]) -> Copied:
    source = facts.picture.path
    notes = []
    data = source.read_bytes()
    kind = facts.header.format
    plain = facts.header.plain and kind in SUFFIXES
    if plain:
        with Image.open(source) as image:
            plain = plain_rgb(image) is image  # no EXIF, no profile
    if not plain:
        data, kind = encoded(load_rgb(source), kind)
        notes.append(f"from {facts.header.mode} {facts.header.format} to plain RGB {kind}")
    stem = unique(safe_stem(source.stem), names)
    name = stem + SUFFIXES[kind]
    if name != source.name:
        notes.append(f"was {source.name}")
    caption = tidy_caption(facts.picture.caption)
    if caption != facts.picture.caption:
        notes.append("caption tidied")
    for folder in (IMAGES, CAPTIONS):
        (out / folder).mkdir(parents=True, exist_ok=True)
    (out / IMAGES / name).write_bytes(data)
    text = f"{caption}\n"
    (out / CAPTIONS / f"{stem}{SUFFIX}").write_text(text, encoding="utf-8", newline="\n")
    return Copied(source, name, tuple(notes))


def safe_stem(stem: str) -> str:
    """Return a file name's stem that works on every system and in every shell.

    >>> safe_stem("Über uns (1)"), safe_stem("..."), safe_stem("CON")
    ('Uber-uns-1', 'picture', 'picture-CON')
    """
    ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_only).strip("-")[:LONGEST_STEM].rstrip("-")
    return f"picture-{safe}" if RESERVED.match(safe) else safe or "picture"


def unique(stem: str, taken: set[str]) -> str:
    """Return the stem, with a number behind it when it is taken; remember it as taken."""
    found, number = stem, 1
    while found.casefold() in taken:
        number += 1
        found = f"{stem}-{number}"
    taken.add(found.casefold())
    return found


def tidy_caption(caption: str) -> str:
    """Return a caption on one line, in composed Unicode, no longer than the tokenizer reads."""
    words = one_line(unicodedata.normalize("NFC", caption)).split()
    while words and count_tokens(" ".join(words)) > CLIP_TOKENS:
        words.pop()
    return " ".join(words).rstrip(" ,;:-")
