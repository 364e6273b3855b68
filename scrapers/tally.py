"""Count what a run takes and drops; a progress bar while it lasts, a table at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm


class Tally:
    """How a run goes.

    Args:
        wanted: Pictures of the search to have in the end.
    """

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.have = 0
        self.new = 0
        self.dropped: Counter[str] = Counter()
        self._bar: tqdm[NoReturn] | None = None

    def missing(self) -> int:
        """Return how many pictures are still wanted."""
        return self.wanted - self.have

    def take(self) -> None:
        """Count a picture that was kept."""
        self.have += 1
        self.new += 1
        if self._bar is not None:
            self._bar.update()

    @contextmanager
    def counting(self, have: int) -> Iterator[None]:
        """Show a progress bar on a terminal.

        Args:
            have: Pictures that are there from earlier runs.
        """
        self.have = have
        with tqdm(
            total=self.wanted, initial=have, unit=" pictures", disable=not sys.stderr.isatty()
        ) as self._bar:
            yield
        self._bar = None

    def report(self, out: Path) -> str:
        """Return the closing words, with the drop table."""
        lines = [f"{self.have} of {self.wanted} pictures in {out} ({self.new} new)"]
        total = sum(self.dropped.values())
        if total:
            lines.append(f"{total} not taken (each with its reason in sources.jsonl):")
            lines += [f"{number:7}  {reason}" for reason, number in self.dropped.most_common()]
        return "\n".join(lines)
