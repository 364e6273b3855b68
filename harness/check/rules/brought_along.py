"""What a folder may bring along beside a method: HUB413.

A scored run shows a contribution's code and settings to its worker, and nothing else of its folder.
An adapter that was trained beforehand would have to hide there.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator
from itertools import pairwise

from harness.check import limits
from harness.check.folder import TOML, Entry, Folder, is_junk
from harness.check.problem import Problem, rule

SOURCES = "src/"
MIN_WINDOW = 4096  # bytes; lzma knows no shorter one
URL = re.compile(r"https?://|data/|\w+/\w+/")
FIX = (
    "Compute it from the training pictures, or from a seed. If the method needs it, open an issue."
)


@rule("HUB413", "More data than a method needs")
def brought_along(folder: Folder) -> Iterator[Problem]:
    """Code and settings hold a method; what was learnt beforehand has no place in them."""
    # Pack all of src/ and contribution.toml: packed, a text is as long as what it says. The largest
    # of the hub's own has 5 KiB. Then look for what no method is written in.
    sources = [one for one in folder.examined if one.path.startswith(SOURCES)]
    code = b"".join(folder.read(one) for one in sources if not is_junk(one.path))
    if (size := packed(code)) > limits.MAX_PACKED_CODE:
        yield Problem(
            f"The files in src/ hold {size / 1024:.0f} KiB when packed; at most "
            f"{limits.MAX_PACKED_CODE // 1024} KiB are allowed.",
            f"Take code from the toolkit instead of copying it. {FIX}",
            "src",
        )
    settings = [one for one in folder.examined if one.path == TOML]
    for one in settings:
        if (size := packed(folder.read(one))) > limits.MAX_PACKED_SETTINGS:
            yield Problem(
                f"It holds {size / 1024:.1f} KiB when packed; at most "
                f"{limits.MAX_PACKED_SETTINGS // 1024} KiB are allowed.",
                "Say it in fewer words; a long explanation belongs into README.md.",
                TOML,
            )
    for one in (*sources, *settings):
        yield from of_one_file(folder, one)


def of_one_file(folder: Folder, entry: Entry) -> Iterator[Problem]:
    """Report numbers without end, and words that are none, in one text file."""
    text = folder.text(entry)
    if text is None or is_junk(entry.path):
        return
    digits = sum(character.isdigit() for character in text)
    if digits > limits.MAX_DIGITS:
        yield Problem(
            f"The file has {digits:,} digits; at most {limits.MAX_DIGITS:,} are allowed.",
            FIX,
            entry.path,
        )
    for number, line in enumerate(text.splitlines(), 1):
        words = (word for word in line.split() if len(word) > limits.MAX_WORD)
        if any(not URL.search(word) and varied(word) for word in words):
            yield Problem(
                f"The line has a word of more than {limits.MAX_WORD} characters.",
                FIX,
                entry.path,
                number,
            )
            return


def varied(word: str) -> bool:
    """Tell a word that may hold data from a rule of dashes and from a long call."""
    pairs = [(a, b) for a, b in pairwise(word) if a.isalnum() and b.isalnum()]
    mixed = sum(kind(a) != kind(b) for a, b in pairs)
    return len(set(word)) > 12 and mixed > len(word) / 6


def kind(character: str) -> str:
    """Return what kind of character it is: digit, upper or lower case."""
    return "digit" if character.isdigit() else "upper" if character.isupper() else "lower"


def packed(data: bytes) -> int:
    """Return the length of bytes when packed as well as possible."""
    # A window as long as the data packs as well as one of 64 MiB, which takes 0.1 s to lay out.
    window = {"id": lzma.FILTER_LZMA1, "preset": 9, "dict_size": max(len(data), MIN_WINDOW)}
    return len(lzma.compress(data, lzma.FORMAT_ALONE, filters=[window])) if data else 0
