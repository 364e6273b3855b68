"""Keys and contact from .env: read once, never printed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


class Secret:
    """A key that shows itself only when ``reveal`` is called.

    An empty one is false.
    """

    def __init__(self, value: str = "") -> None:
        self._value = value.strip()

    def reveal(self) -> str:
        """Return the key, for a request's header."""
        return self._value

    def removed_from(self, text: str) -> str:
        """Return ``text`` without the key: services quote requests in their errors."""
        return text.replace(self._value, "<key>") if self._value else text

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(<hidden>)" if self._value else "Secret('')"


# The example of the project's first document, and what people leave in a template.
_PLACEHOLDERS = ("YOUR_BING_API_KEY", "YOUR_API_KEY", "...")


def read_settings(folder: Path) -> Mapping[str, str]:
    """Return the variables of ``folder/.env``; the environment's own come first.

    A value that is still a placeholder counts as missing.
    """
    from dotenv import dotenv_values

    found = {name: value for name, value in dotenv_values(folder / ".env").items() if value}
    found.update(os.environ)
    return {name: value for name, value in found.items() if value not in _PLACEHOLDERS}
