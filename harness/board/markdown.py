"""A stranger's README as HTML: text, lists, tables and links; no HTML of theirs, no requests."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

LIMIT = 64 << 10


class _Renderer(RendererHTML):
    """Links only to https, pictures as their text: a page of the board loads nothing."""

    def link_open(
        self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
    ) -> str:
        address = str(tokens[index].attrs.get("href", ""))
        if not is_web_address(address):
            return "<span>"
        return f'<a href="{escape(address)}" rel="nofollow noopener">'

    def link_close(
        self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
    ) -> str:
        opened = next(t for t in reversed(tokens[:index]) if t.type == "link_open")
        return "</a>" if is_web_address(str(opened.attrs.get("href", ""))) else "</span>"

    def image(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return f"<em>[picture: {escape(tokens[index].content)}]</em>"

    def heading_open(
        self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f"<{_lowered(tokens[index].tag)}>"

    def heading_close(
        self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f"</{_lowered(tokens[index].tag)}>"


def _lowered(tag: str) -> str:
    """Return a heading two levels down: the page's own headings stand above a README's."""
    return f"h{min(6, int(tag[1]) + 2)}"


def is_web_address(address: str) -> bool:
    """Tell whether an address may be linked: https and a host, nothing else."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


# Built once: the tables of a parser cost more than a README does.
_PARSER = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")


def render(text: str) -> Markup:
    """Return the HTML of a stranger's markdown; safe to put into a page as it is."""
    shown = text[:LIMIT].removeprefix("\ufeff")
    environment: dict[str, Any] = {}
    return Markup(_PARSER.render(shown, environment))  # noqa: S704 - html is off, see _Renderer
