"""For tests that ask of every option of a command whether it does what it says."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any


def options_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the options of a command; ``--help`` promises nothing."""
    return [one for one in parser._actions if one.option_strings and one.dest != "help"]


def options_of_commands(parser: argparse.ArgumentParser) -> list[tuple[str, argparse.Action]]:
    """Return the options of all commands of a parser, each with its command."""
    (group,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return [(name, one) for name, command in group.choices.items() for one in options_of(command)]


def effect_of(option: str, written: Mapping[str, Any]) -> Callable[..., None]:
    """Return the function that says what an option promises: ``seed`` or ``seed_`` for --seed.

    Args:
        option: As it is typed; of several commands, behind the command's name.
        written: The names of the test's file.
    """
    name = option.removeprefix("--").replace(" --", "_").replace("-", "_")
    effect: Callable[..., None] | None = written.get(f"{name}_", written.get(name))
    assert effect is not None, f"Write what {option} promises as a function of this file."
    return effect
