"""Captions: what is in a file, and how one caption becomes several.

A variation is a function of (seed, the picture's content, repetition) and of nothing else, so the
same item always has the same caption: in another process, after a restart, with more pictures
beside it.
"""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path

from toolkit.core.errors import DataSetError
from toolkit.core.settings import DatasetConfig

SUFFIX = ".txt"
SEPARATOR = ", "


def read_caption(path: Path) -> str:
    """Return the caption in a text file, on one line.

    A byte-order mark and the line ends of any system disappear; an empty file gives "".

    Raises:
        DataSetError: The file is not UTF-8, or cannot be read.
    """
    try:
        return one_line(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        # Notepad's "Unicode" is UTF-16: every other byte of English text is zero.
        raise DataSetError(
            f"{path.name} is not UTF-8 (byte {error.start} is {error.object[error.start]:#04x}).",
            where=str(path),
            fix="Open it in an editor and save it with the encoding UTF-8.",
        ) from error
    except OSError as error:
        raise DataSetError(
            f"{path.name} cannot be read: {error.strerror}.", where=str(path), fix="Look at it."
        ) from error


def one_line(text: str) -> str:
    """Return text on one line: the tokenizer sees no difference, and people do."""
    # JSON may hold half a character (a lone surrogate), which no encoder takes.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(whole.replace("\0", " ").split())


def vary(caption: str, config: DatasetConfig, content: str, repetition: int) -> str:
    """Return the caption that one repetition of a picture has.

    Args:
        caption: The picture's own.
        config: Trigger word, shuffling, tags to leave alone, seed.
        content: Digest of the picture's bytes.
        repetition: Number of the repetition, from 0.
    """
    if config.shuffle_captions:
        caption = shuffled(caption, config.keep_tokens, f"{config.seed} {content} {repetition}")
    return with_trigger(caption, config.trigger_word)


def shuffled(caption: str, keep_tokens: int, seed: str) -> str:
    """Return the comma-separated tags of a caption in a random order.

    Args:
        caption: "sks robot, red, on a table" has three tags; one without a comma stays as it is.
        keep_tokens: As many at the start stay where they are.
        seed: The same text gives the same order, on every machine.
    """
    tags = tags_of(caption)
    head, tail = tags[:keep_tokens], tags[keep_tokens:]
    # A str seed goes through sha512 in Python itself; hash() would differ from run to run.
    random.Random(seed).shuffle(tail)  # noqa: S311  # no secret
    return SEPARATOR.join(head + tail)


def tags_of(caption: str) -> list[str]:
    """Return the comma-separated parts of a caption, empty ones left out."""
    return [tag for tag in (part.strip() for part in caption.split(",")) if tag]


def with_trigger(caption: str, trigger_word: str) -> str:
    """Put the trigger word in front of a caption that does not hold it already."""
    # As whole words: the trigger "sks" is not in "tasks".
    if not trigger_word or re.search(rf"(?<!\w){re.escape(trigger_word)}(?!\w)", caption, re.I):
        return caption
    return SEPARATOR.join([trigger_word, caption] if caption else [trigger_word])


def content_hash(path: Path) -> str:
    """Return the sha256 of a picture file's bytes.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
