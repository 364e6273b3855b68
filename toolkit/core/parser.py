"""The parser of every program of the toolkit. Imports nothing, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Once(argparse.Action):
    """An option of which a second one would take the place of the first, without a word."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Keep the value; refuse a second one that differs."""
        before = getattr(namespace, self.dest, self.default)
        if before not in (None, self.default, values):
            parser.error(f"{option_string} was typed twice, and only one can be taken")
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Answers a wrong call with what is wrong and where the options stand, not with all of them."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with code 2."""
        message = message.replace("the following arguments are required:", "missing:")
        self.exit(2, f"error: {message}\n  fix  {self.prog} --help lists the options.\n")
