"""ATTRIBUTION.md: who made the pictures, and under which licence they may be used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from toolkit.scrapers.records import Source

# All that may stand in an address, without ( ) and blanks; % keeps what is quoted already.
_SAFE_IN_URL = "%:/?#@!$&'*+,;=~-._"

_HEAD = """\
# Where the pictures come from

Written by the scraper from sources.jsonl. Keep this file with the pictures, and name it beside a
model trained on them: that is what licences such as CC BY ask for. Some pictures may have been
turned upright, converted or freed of metadata; training crops and scales them.

"""


def attribution_page(sources: Sequence[Source]) -> str:
    """Return the page for the given pictures."""
    counts = Counter(source.license for source in sources)
    summary = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    lines = [f"- {_credit(source)}\n" for source in sources]
    return _HEAD + f"{len(sources)} pictures: {summary or 'none'}.\n\n" + "".join(lines)


def _credit(source: Source) -> str:
    title = _link(source.title or source.file, source.page_url or source.url)
    creator = _link(source.creator, source.creator_url) if source.creator else "unknown author"
    licence = _link(source.license, source.license_url)
    return f"`{source.file}`: {title} by {creator}, {licence}"


def _link(text: str, url: str) -> str:
    """Return a Markdown link whose text, a stranger's, cannot be more than text."""
    plain = re.sub(r"([\\`*_{}\[\]<>()#!|])", r"\\\1", " ".join(text.split()))
    if not url.startswith(("https://", "http://")):
        return plain
    # Round brackets are common in the names of wiki pages, and would end the link.
    return f"[{plain}]({quote(url, safe=_SAFE_IN_URL)})"
