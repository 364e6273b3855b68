"""The parser of every program of the toolkit. Imports nothing, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Answers a wrong call with what is wrong and where the options stand, not with all of them."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with code 2."""
        message = message.replace("the following arguments are required:", "missing:")
        self.exit(2, f"error: {message}\n  fix  {self.prog} --help lists the options.\n")
