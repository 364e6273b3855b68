"""Try something with every contribution, once for each state of its files: the core of recipes.

What worked is not tried again while neither the contribution nor the reference has changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pydantic import TypeAdapter

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from toolkit.core import atomic
from toolkit.core.record import Record
from toolkit.core.settings import REFERENCE_NAME
from toolkit.core.templates import render

LIMIT_S = 1800.0
Hashes = tuple[str, str]  # of the contribution and of the reference


class Tried(Record):
    """What became of one contribution."""

    name: str
    hashes: Hashes
    state: Literal["works", "fails"] = "works"


Kind = TypeVar("Kind", bound=Tried)


class Outcomes(Generic[Kind]):
    """The known outcomes in a JSON file, and the page made from them.

    Args:
        kind: The record of one outcome.
        result: The JSON file.
        template: The page's template; it is handed ``found``.
        page: The page.
    """

    def __init__(self, kind: type[Kind], result: Path, template: Path, page: Path) -> None:
        self._list = TypeAdapter(list[kind])  # type: ignore[valid-type]
        self.result, self.template, self.page = result, template, page

    def read(self) -> list[Kind]:
        """Return what is known."""
        return self._list.validate_json(self.result.read_bytes()) if self.result.is_file() else []

    def write(self, found: Sequence[Kind]) -> None:
        """Write file and page, atomically."""
        text = json.dumps([one.model_dump(mode="json") for one in found], indent=1)
        atomic.write_text(self.result, text + "\n")
        atomic.write_text(self.page, self.text(found))

    def text(self, found: Sequence[Kind]) -> str:
        """Return the page."""
        return render(self.template, found=found).rstrip() + "\n"

    def run(self, tried: Callable[[Contribution, Hashes], Kind]) -> int:
        """Try each contribution that is not known to work; return 0 if none fails."""
        reference = registry.load_reference().content_hash
        known = {one.name: one for one in self.read()}
        names = [REFERENCE_NAME, *registry.contribution_names()]
        found: list[Kind] = []
        for name in names:
            contribution = registry.load_any(name)
            hashes = (contribution.content_hash, reference)
            one = known.get(name)
            if one is None or one.hashes != hashes or one.state == "fails":
                one = tried(contribution, hashes)
                print(one.model_dump_json(exclude={"hashes"}), flush=True)
            found.append(one)
            self.write([*found, *(known[rest] for rest in names[len(found) :] if rest in known)])
        return int(any(one.state == "fails" for one in found))


def hub(*words: str) -> tuple[int, str]:
    """Give a command of the hub; return its exit code and its output."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words],
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout


def first_fault(output: str) -> str:
    """Return the sentence of an error in a command's output, else its last line."""
    lines = [line for line in output.splitlines() if line.strip()]
    faults = [line for line in lines if line.startswith("error: ")]
    return (faults or lines[-1:] or [""])[0].removeprefix("error: ")[:200]
