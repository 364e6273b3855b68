"""Pages from templates. Strangers' words are in them, so all but markdown is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def environment(folder: Path) -> Environment:
    """Return what reads a folder of templates; a name that a template is not handed is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=lambda name: not (name or "").endswith(".md"),  # noqa: S701 - it is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_shared = cache(environment)  # compiled templates are kept: a board has hundreds of pages


def render(template: Path, **values: Any) -> str:
    """Return a template, filled, without a line end at its end."""
    return _shared(template.parent).get_template(template.name).render(**values)
