"""A1111's and other programs' prompt syntax, which Stable Diffusion itself reads as words."""

from __future__ import annotations

import re
from typing import Final

# <lora:name:0.8>: a LoRA to load.
LORA: Final = re.compile(r"<(lora|lyco|hypernet):([^:>]+)(?::([^>]*))?>")
# (word:1.4), ((word)), [[word]]: how much words weigh.
WEIGHT: Final = re.compile(r"\([^()]+:\s*[\d.]+\s*\)|\(\(|\[\[")
# [filewords], [name]: filled in by a trainer, from a file that the hub does not read.
FILLED_IN: Final = re.compile(r"\[(?:filewords|name)\]")
# BREAK, AND: parts of a prompt.
PARTS: Final = re.compile(r"\b(?:BREAK|AND)\b")
# __colour__, {red|blue}, [red|blue], [red:blue:0.5]: one of several words.
CHOICE: Final = re.compile(r"__\w+__|\{[^{}]*\|[^{}]*\}|\[[^\[\]]*[|:][^\[\]]*\]")


def first_syntax(text: str) -> str:
    """Return the first piece of a text that another program would not read as words, or ""."""
    found = [
        match
        for pattern in (LORA, WEIGHT, FILLED_IN, PARTS, CHOICE)
        if (match := pattern.search(text))
    ]
    return min(found, key=lambda match: match.start())[0] if found else ""
