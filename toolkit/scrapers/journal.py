"""sources.jsonl: written line by line while a collection runs, so that a kill loses nothing."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from toolkit.core import atomic
from toolkit.scrapers.errors import ScrapeError
from toolkit.scrapers.records import Source


class Journal:
    """The lines of one sources.jsonl, the newest for each address.

    Args:
        path: The file; it need not exist.

    Raises:
        ScrapeError: A line is damaged. Only the last one may be cut: that is what a kill leaves.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sources: dict[str, Source] = {}
        for source in _read(path):
            self.sources[source.url] = source

    def add(self, source: Source) -> None:
        """Write a line; it survives the end of the program, however that comes.

        Not a power cut, which would take a wait for the disk at each line: the last pictures may
        then be downloaded again, and get the same names.
        """
        self.sources[source.url] = source
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(source.model_dump_json(exclude_defaults=True) + "\n")

    def forget(self, url: str) -> None:
        """Take an address out; ``tidy`` writes it."""
        del self.sources[url]

    def kept(self) -> list[Source]:
        """Return the pictures that were taken, in the order of taking."""
        return [source for source in self.sources.values() if source.status == "kept"]

    def tidy(self) -> None:
        """Write the file anew, one line for each address."""
        lines = [
            source.model_dump_json(exclude_defaults=True) + "\n" for source in self.sources.values()
        ]
        atomic.write_text(self._path, "".join(lines))


def _read(path: Path) -> list[Source]:
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")
    # What stands behind the last line end is "" or a line that a kill cut short.
    sources = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            sources.append(Source.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ScrapeError(
                f"This line is none of the scraper's: {place} {first['msg']}",
                where=f"{path}:{number}",
                fix="Mend or delete the line. (Deleting the file makes the scraper forget which "
                "addresses it knows, and the pictures' licences.)",
            ) from error
    return sources
