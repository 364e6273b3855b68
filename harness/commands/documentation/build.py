"""Build the documentation's site with mkdocs, strictly: a dead link is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness import paths
from toolkit.core.errors import HubError, UsageError

# mkdocs marks what it has built with this file.
MARK = "sitemap.xml"


def build(out: Path, *, board: str = "") -> None:
    """Build the site into a folder, which is emptied first.

    Args:
        out: The folder.
        board: Address of the board, relative to the site; none means no link to it.

    Raises:
        UsageError: The folder holds something else.
        HubError: A page has a dead link, or mkdocs is not content with something else.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise UsageError(
            "This folder has files that are not of the documentation.",
            where=str(out),
            fix="Name another folder, or empty this one.",
        )
    # Not --quiet: it takes the warnings away before --strict can count them.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean"]
    done = subprocess.run(  # noqa: S603 - a list, no shell
        [*command, "--site-dir", str(out.resolve())],
        cwd=paths.ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(paths.ROOT),
            "HUB_BOARD_ADDRESS": board,
            "NO_MKDOCS_2_WARNING": "1",  # a notice of the theme's makers about another program
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).splitlines()
        output = "\n".join(f"  {line}" for line in lines if line and not line.startswith("INFO"))
        raise HubError(f"The documentation cannot be built:\n{output}", where="mkdocs.yml")
