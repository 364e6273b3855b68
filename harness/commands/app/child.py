"""A command of the hub as a process of its own: it outlives the page that started it.

python -m harness.commands.app.child FOLDER WORDS...
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.commands import cli
from toolkit.core import atomic
from toolkit.picture_sets import cli as dataset

EXIT_FILE = "exit.txt"


def main(arguments: Sequence[str]) -> int:
    """Run the command, and write into the folder how it ended."""
    folder, words = Path(arguments[0]), list(arguments[1:])
    # A server in the background of a shell ignores Ctrl-C, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        code = dataset.main(words[1:]) if words[:1] == ["dataset"] else cli.main(words)
    except SystemExit as stop:  # argparse's
        code = stop.code if isinstance(stop.code, int) else 1
    finally:
        atomic.write_text(folder / EXIT_FILE, f"{code}\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
