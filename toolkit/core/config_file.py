"""``--config FILE.toml``: options out of a file, under their names on the command line.

    [train]
    steps = 400
    prompt = ["a sks mug", "a sks mug on a beach"]
    flip = true

Each command reads the table that is called like it. What is typed wins over the file.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core.errors import UsageError
from toolkit.core.text import near_names

OPTION = "--config"
EXAMPLE = 'A recipe looks so: [train], and below it steps = 400, flip = true, prompt = ["a mug"].'


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--config``."""
    add = parser.add_argument
    add(OPTION, type=Path, metavar="FILE.toml", help="options out of a file, such as a plan.toml")


def expanded(argv: Sequence[str], table: str, parser: argparse.ArgumentParser) -> list[str]:
    """Return a command line with the options of its ``--config`` files in front.

    Args:
        argv: What was typed after the command.
        table: Name of the command's table.
        parser: Of the command.

    Raises:
        UsageError: A file cannot be read, or has an option that the command has not; near names
            are in the message.
    """
    files = [
        word.partition("=")[2] or next(iter(argv[place + 1 :]), "")
        for place, word in enumerate(argv)
        if word == OPTION or word.startswith(f"{OPTION}=")
    ]
    words: list[str] = []
    for file in filter(None, files):
        words += words_of(read_table(Path(file), table), Path(file), argv, parser)
    return [*words, *argv]


def read_table(file: Path, table: str) -> dict[str, Any]:
    """Return a command's table of a file.

    Raises:
        UsageError: There is no such file, it is no TOML, or has no such table.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"The file cannot be read: {error}", where=str(file)) from error
    except UnicodeDecodeError as error:
        fix = "Open it in an editor and save it with the encoding UTF-8."
        raise UsageError("The file is not UTF-8.", where=str(file), fix=fix) from error
    except ValueError as error:
        raise UsageError(f"The file is no TOML: {error}", where=str(file), fix=EXAMPLE) from error
    chosen = content.get(table)
    if not isinstance(chosen, dict):
        raise UsageError(
            f"The file has no table [{table}].",
            where=str(file),
            fix=f"Write [{table}] above the options of this command.",
        )
    return chosen


def words_of(
    options: Mapping[str, Any], file: Path, argv: Sequence[str], parser: argparse.ArgumentParser
) -> list[str]:
    """Return options as words of a command line; those that are typed too are left out."""
    known = {
        action.dest: action
        for action in parser._actions
        if action.option_strings and action.dest not in ("help", "config")
    }
    words, unknown, wrong = [], [], []
    for name, value in options.items():
        action = known.get(name.replace("-", "_"))
        if action is None:
            near = near_names(name.replace("-", "_"), known, most=1)
            unknown.append(f"{name} (Did you mean {near[0]!r}?)" if near else name)
            continue
        if fault := type_fault(action, value):
            wrong.append(f"{name} = {as_value(value)} {fault}")
            continue
        option = action.option_strings[0]
        if any(w.partition("=")[0] == option for w in argv):
            continue  # what is typed wins
        values = value if isinstance(value, list) else [value]
        words += [word for one in values for word in word_of(action, option, one)]
    if unknown:
        raise UsageError(
            f"Unknown options: {'; '.join(unknown)}.",
            where=str(file),
            fix="An option has the name that it has on the command line: --help lists them.",
        )
    if wrong:
        raise UsageError(f"Wrong values: {'; '.join(wrong)}.", where=str(file), fix=EXAMPLE)
    return words


def type_fault(action: argparse.Action, value: Any) -> str:
    """Return what kind of value an option takes when it is not this one, otherwise ""."""
    if action.nargs == 0:
        return "" if isinstance(value, bool) else "is neither true nor false"
    if isinstance(value, (bool, dict)):
        return "is no number or text"
    if isinstance(value, list):
        if not repeats(action):
            return "is a list, and the option takes one value"
        if any(isinstance(one, (bool, dict, list)) for one in value):
            return "is no list of texts"
    return ""


def repeats(action: argparse.Action) -> bool:
    """Tell whether an option may be typed several times."""
    return "Append" in type(action).__name__


def word_of(action: argparse.Action, option: str, value: Any) -> list[str]:
    """Return one option with its value; a switch that is off needs no word if it is off anyway."""
    if isinstance(value, bool):
        if value:
            return [option]
        return [*action.option_strings[1:2]] if "BooleanOptional" in type(action).__name__ else []
    return [f"{option}={value}"]


def as_table(name: str, options: Iterable[tuple[str, Any]]) -> str:
    """Return options as a table of TOML; None is left out."""
    lines = [f"{key} = {as_value(value)}" for key, value in options if value is not None]
    return "\n".join([f"[{name}]", *lines]) + "\n"


def as_value(value: Any) -> str:
    """Return a value of the command line as TOML."""
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(as_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    # JSON's strings are TOML's, but for the one control character that JSON leaves alone.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
