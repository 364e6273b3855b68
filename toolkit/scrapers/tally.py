"""Count accepted and refused pictures; a progress bar during the run, a table at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
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
        if self._bar is not None:
            self._bar.update()

    @contextmanager
    def counting(self, count: Callable[[], int]) -> Iterator[None]:
        """Show a progress bar on a terminal.

        Args:
            count: Counts the search's pictures in the folder.
        """
        self.have = before = count()
        try:
            with tqdm(
                total=self.wanted,
                initial=self.have,
                unit=" pictures",
                disable=not sys.stderr.isatty(),
            ) as self._bar:
                yield
        finally:
            self._bar = None
            # Ctrl-C may have come between a picture and `take`.
            self.have = count()
            self.new = self.have - before

    def report(self, out: Path) -> str:
        """Return the closing words, with the drop table."""
        lines = [f"{self.have} of {self.wanted} pictures in {out} ({self.new} new)"]
        total = sum(self.dropped.values())
        if total:
            lines.append(f"{total} not taken (each with its reason in sources.jsonl):")
            lines += [f"{number:7}  {reason}" for reason, number in self.dropped.most_common()]
        return "\n".join(lines)
