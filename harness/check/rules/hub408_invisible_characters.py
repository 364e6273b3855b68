"""HUB408: characters that make a text look different from what it is (Trojan Source)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from harness.check.folder import Folder, is_junk
from harness.check.problem import Problem, Severity

ID = "HUB408"
TITLE = "Invisible or direction-changing characters"
SEVERITY: Severity = "error"
FIXABLE = False

# Control characters, overrides and isolates of direction, zero-width spaces, fillers.
_ALWAYS = (
    "\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5"
    "\\u180e\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb"
)
# Letters of code points that only mean something beside others: Hebrew and Arabic marks, and the
# joiners inside emoji and Indic or Persian words. In prose they are fine.
_IN_CODE = "\\u200e\\u200f"
_PROSE = re.compile(
    f"[{_ALWAYS}]|(?<![^\\x00-\\x7f])[\\u200c\\u200d]|(?<!\\U0001f3f4)[\\U000e0001]"
)
_CODE = re.compile(
    f"[{_ALWAYS}{_IN_CODE}\\U000e0000-\\U000e007f]|(?<![^\\x00-\\x7f])[\\u200c\\u200d]"
)


def check(folder: Folder) -> Iterator[Problem]:
    """Search every text file; one finding per line."""
    for entry in folder.texts:
        text = None if is_junk(entry.path) else folder.text(entry)
        if text is None:
            continue
        pattern = _CODE if entry.suffix in {".py", ".toml"} else _PROSE
        lines: dict[int, str] = {}
        for found in pattern.finditer(text):
            lines.setdefault(text.count("\n", 0, found.start()) + 1, found[0])
        for line, character in lines.items():
            name = unicodedata.name(character, "control character")
            yield Problem(
                f"The line holds an invisible character: U+{ord(character):04X} {name}.",
                "Delete it: what reviewers see has to be what Python reads.",
                entry.path,
                line,
            )
