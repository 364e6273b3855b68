"""Licences by short codes, whatever an archive calls them.

cc0  pdm (public domain mark)  by  by-sa  by-nc  by-nc-sa  by-nd  by-nc-nd  unknown
"""

from __future__ import annotations

import re

CODES = ("cc0", "pdm", "by", "by-sa", "by-nc", "by-nc-sa", "by-nd", "by-nc-nd", "unknown")
# A LoRA is an adaptation one may want to sell or share freely. So by default nothing that
# forbids changes (nd), commerce (nc), or other licences for the result (sa).
DEFAULT = ("cc0", "pdm", "by")

_PUBLIC_DOMAIN = re.compile(r"^(pd\b|pdm\b|public domain|no restrictions|publicdomain)")
# The whole name: "copyrighted by Ada" has a "by" in it too. Behind it version and country.
_CC = re.compile(r"(?:cc|creative commons)?[ -]*by((?:[ -](?:nc|nd|sa))*)(?:[ -]\d[\w. -]*)?")


def code(name: str) -> str:
    """Return the code of a licence name, or ``unknown``.

    >>> [code(n) for n in ("CC BY-SA 4.0", "CC0", "Public domain", "by-nc", "GFDL")]
    ['by-sa', 'cc0', 'pdm', 'by-nc', 'unknown']
    """
    text = name.strip().lower().replace("_", "-")
    if re.match(r"^(cc[ -]?0|cc-zero|zero)\b", text):
        return "cc0"
    if _PUBLIC_DOMAIN.match(text):
        return "pdm"
    found = _CC.fullmatch(text)
    if found is None:
        return "unknown"
    parts = "-".join(["by", *(part for part in ("nc", "nd", "sa") if part in found[1])])
    return parts if parts in CODES else "unknown"


def parse_list(text: str) -> tuple[str, ...]:
    """Return the codes in a comma-separated list.

    Raises:
        ValueError: Some are no codes; the message names them and the codes there are.
    """
    codes = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    wrong = [part for part in codes if part not in CODES]
    if wrong or not codes:
        raise ValueError(
            f"no such licence: {', '.join(wrong) or '(none given)'}. There are: {', '.join(CODES)}."
        )
    return codes
