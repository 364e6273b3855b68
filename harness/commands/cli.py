"""The command line: ``python -m harness <command>``. Each command is a module in commands/."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import shutil
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from harness.errors import CheckError
from toolkit.core.command_line import exit_code, say
from toolkit.core.config_file import expanded
from toolkit.core.errors import EnvironmentFault, HubError

# Command -> its module. Only the module of the command that was typed is imported, so that
# `check` and `list` start fast.
COMMANDS = {
    "contribution": "check, train, score and compare contributions",
    "track": "make a track of your own pictures, for a contest",
    "train": "train a contribution on your own pictures",
    "generate": "draw pictures with a contribution's trained adapter",
    "export": "write a contribution's training as a file for other programs",
    "new": "create a small contribution that passes every check",
    "check": "check folders without running their code",
    "explain": "explain a check, with wrong and right code",
    "list": "list the contributions",
    "compare": "compare two contributions, figure by figure and picture by picture",
    "preview": "show a contribution's newest row in its place on the board",
    "verify": "run a recorded row again and report whether it agrees",
    "why-stale": "list what changed since a contribution was run",
    "plan": "list the runs of a board, or run them: here, in shards, on a cluster",
    "collect": "merge rows that other machines stored into this board",
    "profiles": "measure what each contribution does differently",
    "matrix": "try which hooks of which contributions work together",
    "controls": "measure the hub's own rows and check that each is in its place",
    "sweep": "choose a learning rate on training pictures that are held back",
    "calibrate": "measure how small a difference the protocol can show",
    "registry": "generate registry.toml from the folders",
    "leaderboard": "build the site and the tables from the recorded rows",
    "docs": "build the documentation's site, and its pages about the code",
    "app": "open a page on this machine to train, watch and compare on",
    "ci": "do what the hub's CI does, on this machine",
    "clean": "list what runs/ no longer needs; --yes removes it",
    "doctor": "examine the machine and the installation",
}
WITH_CONFIG = ("train", "generate")  # their options may come out of a --config file
ALIASES = {"run": "contribution"}

# What a right call looks like, for whoever left something out.
EXAMPLES = {
    "contribution": "Example1",
    "generate": 'Example1 --prompt "a sks robot, on a red background"',
    "export": "Example1 --format kohya",
    "new": "MyIdea",
    "track": "new photos --data DIR",
    "check": "Example1",
    "explain": "HUB204",
    "sweep": "Example1",
}

# No space, file too large, read-only, not permitted: faults of the machine, not of the hub.
REFUSALS = (errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


class FriendlyParser(argparse.ArgumentParser):
    """Answers a wrong call with what is missing and a working example, not with all options."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with code 2."""
        command = next((w for w in self.prog.split() if w in COMMANDS or w in ALIASES), "")
        command = ALIASES.get(command, command)
        if command not in COMMANDS:
            self.exit(2, f"error: {message}\n  fix  python -m harness --help lists the commands.\n")
        message = message.replace("the following arguments are required:", "missing:")
        line = f"nox -s {command} -- {EXAMPLES.get(command, '--help')}"
        note = "remember the -- : words after it belong to the hub; --help there lists all options"
        self.exit(2, f"error: {command}: {message}\n  fix  {line}\n       ({note})\n")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser, with the options of ``command`` only."""
    parser = FriendlyParser(
        prog="python -m harness",
        description="Check, run, score and compare ways of fine-tuning Stable Diffusion with LoRA.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, summary in COMMANDS.items():
        names = [alias for alias, target in ALIASES.items() if target == name]
        sub = subparsers.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", aliases=names
        )
        if name == command:
            command_module(name).add_arguments(sub)
    return parser


def command_module(name: str) -> ModuleType:
    """Import the module of one command."""
    return importlib.import_module(f"harness.commands.{name.replace('-', '_')}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 success, 1 error, 2 wrong call, 130 Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    typed = next((a for a in arguments if not a.startswith("-")), None)
    command = ALIASES.get(typed or "", typed)
    parser = build_parser(command)
    if command in WITH_CONFIG and typed is not None:
        place = arguments.index(typed) + 1
        try:
            rest = expanded(arguments[place:], command, chosen(parser, command))
        except HubError as error:
            say(f"error: {error}")
            return error.exit_code
        arguments = [*arguments[:place], *rest]
    parsed = parser.parse_args(arguments)
    module = command_module(str(command))
    return exit_code(
        lambda: _run(module, parsed),
        faults=(),
        stopped="Stopped. All files are complete, and no process is left.",
    )


def chosen(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """Return the parser of one command."""
    group = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    found: argparse.ArgumentParser = group.choices[command]
    return found


def _run(module: ModuleType, parsed: argparse.Namespace) -> int:
    try:
        code: int = module.run(parsed)
    except CheckError as error:
        if error.findings:
            from harness.check.render import render_text

            print(render_text(error.findings), file=sys.stderr)
        raise
    except OSError as error:
        if is_refusal(error):
            raise refused(error) from error
        raise
    return code


def is_refusal(error: OSError) -> bool:
    """Tell whether the machine does not let the hub write."""
    if isinstance(error, shutil.Error):  # of copytree: a list of (source, target, text)
        return any(os.strerror(number) in str(error) for number in REFUSALS)
    return error.errno in REFUSALS


def refused(error: OSError) -> HubError:
    """Say in a sentence that the machine does not let the hub write."""
    why, where = error.strerror, str(error.filename or "an open file")
    if isinstance(error, shutil.Error):
        _, where, why = error.args[0][0]
    return EnvironmentFault(
        f"The machine does not allow writing: {why}.",
        where=str(where),
        fix="Free space (nox -s clean), or make the folder writable. Existing files are intact.",
    )
