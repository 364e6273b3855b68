"""ATTRIBUTION.md: who made the pictures, and under which licence they may be used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from toolkit.core.templates import render
from toolkit.scrapers.records import Source

# All that may stand in an address, without ( ) and blanks; % keeps what is quoted already.
_SAFE_IN_URL = "%:/?#@!$&'*+,;=~-._"


def attribution_page(sources: Sequence[Source]) -> str:
    """Return the page for the given pictures."""
    counts = sorted(Counter(source.license for source in sources).items())
    template = Path(__file__).with_name("attribution.md")
    return render(template, sources=sources, counts=counts, link=_link).rstrip() + "\n"


def _link(text: str, url: str) -> str:
    """Return a Markdown link whose text, a stranger's, cannot be more than text."""
    plain = re.sub(r"([\\`*_{}\[\]<>()#!|])", r"\\\1", " ".join(text.split()))
    if not url.startswith(("https://", "http://")):
        return plain
    # Round brackets are common in the names of wiki pages, and would end the link.
    return f"[{plain}]({quote(url, safe=_SAFE_IN_URL)})"
