"""Photograph the board's site, and the page of a run, for the documentation: all in one go.

    nox -s leaderboard
    python -m benchmarks.screenshots [--site runs/site] [--track robot] [--out docs/images]

Needs Chromium. A page that complains (an error in its console, a request that fails) stops it. The
contribution shown is the track's best one unless ``--name`` says another.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks import verdict_picture
from harness import paths
from toolkit.core import atomic

QUALITY = 82


@dataclass(frozen=True)
class Shot:
    """One picture of the documentation."""

    file: str
    page: str  # address below the site, with {track} and {name}
    at: str = ""  # selector of what stands at the top; none is the page's own top
    width: int = 1280  # of the window, in pixels
    height: int = 800
    dark: bool = False
    phone: bool = False


SHOTS = (
    Shot("board_home.webp", "index.html"),
    Shot("board_table.webp", "{track}/index.html"),
    Shot("board_plot.webp", "{track}/index.html", at="#plot-title", height=560),
    Shot("board_gallery.webp", "{track}/gallery.html"),
    Shot("board_compare.webp", "{track}/compare.html#{name},reference"),
    Shot("board_contribution.webp", "contributions/{name}.html"),
    Shot("board_dark.webp", "{track}/index.html", dark=True),
    Shot("board_phone.webp", "{track}/index.html", width=390, height=844, phone=True),
)

FILES = (*(shot.file for shot in SHOTS), verdict_picture.PICTURE)


def photograph(
    site: Path, out: Path, track: str, name: str, shots: tuple[Shot, ...], verdict: bool = True
) -> None:
    """Take the pictures; ``verdict``: the one of the page of a run, too.

    Raises:
        SystemExit: A page complains, or asks for something from elsewhere.
    """
    from tests.harness.board.browser import browser

    with tempfile.TemporaryDirectory(prefix="hub-screenshots-") as temporary:
        folder = Path(temporary)
        with browser(folder) as tab:
            for shot in shots:
                tab.show(shot.width, shot.height, dark=shot.dark, phone=shot.phone)
                page, _, mark = shot.page.format(track=track, name=name).partition("#")
                address = (site / page).resolve().as_uri() + (f"#{mark}" if mark else "")
                tab.open("about:blank")  # an address that differs in its mark alone loads nothing
                tab.open(address)
                prepare(tab, shot.at)
                tab.screenshot(folder / "shot.png")
                require_quiet(tab, shot.page)
                atomic.write_bytes(out / shot.file, as_webp(folder / "shot.png"))
                print(out / shot.file)
            if verdict:
                png = verdict_picture.photograph(tab, folder)
                require_quiet(tab, "the page of a run")
                atomic.write_bytes(out / verdict_picture.PICTURE, as_webp(png))
                verdict_picture.write_digests(out)
                print(out / verdict_picture.PICTURE)


def require_quiet(tab: Any, page: str) -> None:
    """Stop when a page complains or asks for something from elsewhere."""
    foreign = [url for url in tab.requests() if not url.startswith(("file:", "data:"))]
    if wrong := [*tab.complaints(), *foreign]:
        raise SystemExit(f"error: {page} complains: {wrong}")


def prepare(tab: Any, at: str) -> None:
    """Scroll to where the picture begins, and wait until the pictures there are decoded."""
    if at:
        tab.run(f"document.querySelector({at!r}).scrollIntoView()")
    tab.run(
        "Promise.all([...document.images].filter(i => i.getBoundingClientRect().top < innerHeight)"
        ".map(i => { i.loading = 'eager'; return i.decode(); })).then(() => 0)"
    )
    tab.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def as_webp(file: Path) -> bytes:
    """Return a PNG as WebP: small enough for git."""
    buffer = io.BytesIO()
    with Image.open(file) as picture:
        picture.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()


def best(site: Path, track: str) -> str:
    """Return the contribution that stands first in a track's table, the reference if none does."""
    file = site / "data" / f"{track}.json"
    if not file.is_file():
        raise SystemExit(f"error: {file} is missing.\n  fix  nox -s leaderboard builds the site.")
    entries = json.loads(file.read_text(encoding="utf-8"))["entries"]
    ranked = [e["name"] for e in entries if e["state"] == "measured" and not e["control"]]
    others = [name for name in ranked if name != "reference"]
    return str((others or ranked or [entries[0]["name"]])[0])


def main(arguments: list[str] | None = None) -> int:
    """Take all pictures, or only those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, default=paths.ROOT / "runs" / "site")
    parser.add_argument("--out", type=Path, default=paths.ROOT / "docs" / "images")
    parser.add_argument("--track", default="robot")
    parser.add_argument("--name", help="the contribution to show (default: the first of the table)")
    parser.add_argument("--only", action="append", choices=FILES)
    args = parser.parse_args(arguments)
    shots = tuple(shot for shot in SHOTS if not args.only or shot.file in args.only)
    verdict = not args.only or verdict_picture.PICTURE in args.only
    name = args.name or (best(args.site, args.track) if shots else "")
    photograph(args.site, args.out, args.track, name, shots, verdict)
    return 0


if __name__ == "__main__":
    sys.exit(main())
