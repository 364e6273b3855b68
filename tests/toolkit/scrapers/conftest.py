"""Fixtures: an archive that answers on this machine, and a way to run the scraper on it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from src.scraping import main
from tests.toolkit.scrapers.server import Archive


@pytest.fixture
def archive():
    server = Archive()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _no_keys_of_this_machine(monkeypatch, tmp_path):
    for name in ("API_KEY", "OPENVERSE_TOKEN", "CONTACT", "BING_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def quick(archive, out: Path, *more: str) -> list[str]:
    """A command line for the archive: small pictures, and no patience."""
    options = {
        "--base-url": archive.url,
        "--out": str(out),
        "--count": "5",
        "--min-side": "64",
        "--requests-per-second": "0",
        "--timeout": "2",
        "--deadline": "5",
        "--retries": "2",
        "--backoff": "0.05",
    }
    given = [item for pair in options.items() for item in pair]
    return ["red panda", *given, "--allow-private-addresses", "127.0.0.1", *more]


@pytest.fixture
def scrape(archive, tmp_path, capsys):
    """Run the scraper in this process."""

    def run(*more: str):
        code = main(quick(archive, tmp_path / "out", *more))
        captured = capsys.readouterr()
        return SimpleNamespace(
            code=code, out=captured.out, err=captured.err, folder=Collected(tmp_path / "out")
        )

    return run


class Collected:
    """What is in a collection's folder."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in (self.path / "Images").iterdir())

    @property
    def captions(self) -> dict[str, str]:
        folder = self.path / "ImageCaptions"
        return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    def lines(self, name: str) -> list[dict]:
        text = (self.path / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def reasons(self) -> dict[str, str]:
        """Why each address was dropped, by the last part of its path."""
        return {
            source["url"].rsplit("/", 1)[-1]: source["reason"]
            for source in self.lines("sources.jsonl")
            if source["status"] == "dropped"
        }
