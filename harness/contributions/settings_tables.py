"""Put settings into the ``[settings.*]`` tables of a contribution.toml; all else in it stays."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from harness.contributions import toml_lines
from toolkit.core.config_file import as_value
from toolkit.core.errors import UsageError

Tables = Mapping[str, Mapping[str, Any]]  # "train" -> field -> value


def with_settings(toml: str, tables: Tables) -> str:
    """Return a TOML text in which settings have these values.

    A value that stands there is replaced on its own lines, a new one follows its table's head, and
    a new table comes last, so comments stay.

    Args:
        toml: The text of a contribution.toml.
        tables: What is to be set, by table.

    Raises:
        UsageError: The text is written in a way in which a line cannot be put, such as tables in
            one line.
    """
    lines = toml.splitlines()
    for table, values in tables.items():
        for name, value in values.items():
            put(lines, table, name, f"{name} = {as_value(value)}")
    text = "\n".join(lines) + "\n"
    if not says(text, expected(tomllib.loads(toml), tables)):
        wanted = "; ".join(f"{t}.{n} = {v}" for t, vs in tables.items() for n, v in vs.items())
        raise UsageError(
            "The settings cannot be put into this contribution.toml: its tables are not written "
            "one value a line.",
            fix=f"Copy it with --from, and write them yourself: {wanted}",
        )
    return text


def put(lines: list[str], table: str, name: str, line: str) -> None:
    """Set one value in the lines of a TOML text."""
    at = toml_lines.scan("\n".join(lines))
    if start := at.get(("settings", table, name)):
        end = next(
            (n for n in range(start, len(lines) + 1) if is_whole(lines[start - 1 : n])), start
        )
        lines[start - 1 : end] = [line]
    elif head := at.get(("settings", table)):
        lines.insert(head, line)
    else:
        lines += ["", f"[settings.{table}]", line]


def is_whole(lines: list[str]) -> bool:
    """Tell whether lines are TOML by themselves, so that no value goes on below them."""
    try:
        tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return False
    return True


def expected(values: dict[str, Any], tables: Tables) -> dict[str, Any]:
    """Return what a text has to say once the settings are in it."""
    settings = {name: dict(table) for name, table in values.get("settings", {}).items()}
    for table, wanted in tables.items():
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in wanted.items()}
        settings.setdefault(table, {}).update(plain)
    return {**values, "settings": settings}


def says(text: str, wanted: dict[str, Any]) -> bool:
    """Tell whether a TOML text has exactly these values."""
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return found == wanted
