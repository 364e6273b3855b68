"""Walk through the app as a newcomer does, in a real Chromium: how long it takes, how it looks.

    python -m benchmarks.app [--pages FOLDER]

Types `nox -s app`, drops the reference's pictures, leaves every setting as the page proposes it,
trains, writes the file and downloads it. docs/app.md gets the seconds, docs/images/app.webp the
training's page. ``--pages`` photographs every page in three looks instead, and records nothing.
Needs Chromium, and nox on the path.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.page import record
from benchmarks.screenshots import as_webp
from harness import paths
from tests.harness.board.browser import browser
from tests.harness.commands.app import driving as hand
from tests.toolkit.scrapers.tiny_blip import make_blip
from toolkit.core import atomic

PICTURE = paths.ROOT / "docs" / "images" / "app.webp"
NOX = ("nox", "-s", "app", "--")
FILE = "robots-reference.safetensors"  # of the set robots
MOST_S = 900.0  # that one thing on the page may take
LOOKS: dict[str, dict[str, Any]] = {
    "1280": {"width": 1280, "height": 900},
    "390": {"width": 390, "height": 844, "phone": True},
    "dark": {"width": 1280, "height": 900, "dark": True},
}


class Walk:
    """One way through the app.

    Args:
        page: The browser's tab.
        folder: For the download and the pictures of pages; exists.
        pages: Where every page is photographed; None measures instead.
    """

    def __init__(self, page: Any, folder: Path, pages: Path | None) -> None:
        self.page, self.folder, self.pages = page, folder, pages
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def done(self, part: str) -> None:
        """Note how long a part took, and photograph where it ended."""
        self.seconds[part] = round(time.monotonic() - self._since, 1)
        self.see(part)
        self._since = time.monotonic()

    def see(self, name: str) -> None:
        """Photograph the page in all looks."""
        if self.pages is None:
            return
        for form, window in LOOKS.items():
            self.page.show(**window)
            self.page.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
            self.page.screenshot(self.pages / f"{name}-{form}.png", whole=True)
        self.page.show(**LOOKS["1280"])

    def make_a_set(self) -> None:
        """Drop the reference's pictures."""
        data = paths.REFERENCE / "Dataset"
        hand.fill(self.page, name="robots")
        hand.press(self.page, "Make the set")
        hand.says(self.page, "Drop pictures here")
        self.see("empty-set")
        hand.drop(self.page, [*data.rglob("*.png"), *data.rglob("*.txt")])
        hand.says(self.page, "Ready to train")
        self.done("set")

    def train(self) -> int:
        """Train as the page proposes; return the steps that it took."""
        hand.press(self.page, "Next: choose a method")
        hand.says(self.page, "Choose a method and train")
        self.done("method")
        hand.press(self.page, "Start the training")
        if self.pages:
            hand.says(self.page, ", loss", MOST_S)
            self.see("at-work")
        hand.says(self.page, "Draw with it", MOST_S)
        steps = int(self.page.run("document.querySelector('progress').max"))
        self.done("training")
        return steps

    def take_away(self) -> None:
        """Write the file and wait until it is there."""
        hand.press(self.page, "Write the file")
        hand.press(self.page, f"Download {FILE}", MOST_S)
        file, deadline = self.folder / FILE, time.monotonic() + MOST_S
        while not file.is_file() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.done("file")

    def see_the_rest(self) -> None:
        """Photograph what the way does not pass."""
        page = self.page
        hand.press(page, "Draw with it")
        hand.fill(page, prompt="a sks robot\na sks robot on a beach", strengths="0 1")
        hand.press(page, "Draw")
        drawn = "[...document.querySelectorAll('img.drawn')].filter(i => i.naturalWidth).length"
        ready = f"{drawn} === 4 && !document.querySelector('[data-live]')"
        hand.wait_for(page, ready, "four pictures", MOST_S)
        hand.press(page, "Compare two pictures with a slider")
        self.see("draw")
        hand.press(page, "3 Trainings")
        hand.says(page, "reference on robots")
        self.see("trainings")
        hand.press(page, "1 Pictures")
        hand.press(page, "robots")
        hand.press(page, "Have a model propose captions")
        make_blip(self.folder / "blip")
        hand.fill(page, model=str(self.folder / "blip"), trigger_word="sks")
        page.run("document.querySelector('[name=all]').checked = true")
        hand.press(page, "Propose captions")
        hand.press(page, "Look through the proposed captions", MOST_S)
        hand.says(page, "Proposed captions")
        self.see("proposals")
        page.open(page.run("location.origin") + "/pictures/nothing-of-that-name")
        self.see("error")


def walk(folder: Path, pages: Path | None) -> dict[str, Any]:
    """Go from nothing to the downloaded file.

    Args:
        folder: Empty; for the browser, the runs and the download.
        pages: Where every page is photographed; None measures instead.

    Returns:
        Seconds of each part, the steps of the training and its pictures.

    Raises:
        SystemExit: The page complains.
    """
    with browser(folder, hand.ALONE) as page:
        page.show(**LOOKS["1280"])
        page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        way = Walk(page, folder, pages)
        with hand.served(folder / "runs", command=NOX) as (_, address):
            page.open(address)
            way.done("ready")
            way.make_a_set()
            steps = way.train()
            way.take_away()
            if pages:
                way.see_the_rest()
            else:
                page.run("scrollTo(0, 0)")
                page.screenshot(folder / "page.png")
        if wrong := page.complaints():
            raise SystemExit(f"error: the app complains: {wrong}")
    return {"seconds": way.seconds, "steps": steps}


def main(arguments: list[str] | None = None) -> int:
    """Measure and record, or photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, metavar="FOLDER", help="photograph every page")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="hub-app-") as temporary:
        if args.pages:
            args.pages.mkdir(parents=True, exist_ok=True)
            walk(Path(temporary), args.pages)
            return 0
        load = round(os.getloadavg()[0], 1)
        found = walk(Path(temporary), None) | {"load": load}
        atomic.write_bytes(PICTURE, as_webp(Path(temporary) / "page.png"))
        record("app", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
