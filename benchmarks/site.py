"""How long a large board takes: build it, then open its largest page in a browser.

    python -m benchmarks.site [--contributions 500] [--tracks 3]

Times are of the processor for the build (what a busy machine cannot distort) and of the page's own
clock for the first view. Fails when a limit is exceeded. Other sizes write no result.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.page import record
from harness import paths
from harness.board.collect import collect
from harness.board.site import build
from tests.harness.board import synthetic_hub
from tests.harness.board.browser import browser, find_browser

CONTRIBUTIONS, TRACKS = 500, 3
BUILD_LIMIT_S = 20.0
VIEW_LIMIT_MS = 1000.0

# A promise: the browser may write the entry down a moment after it has drawn.
FIRST_PAINT = """new Promise(resolve => new PerformanceObserver(list => {
  const entry = list.getEntriesByName("first-contentful-paint")[0];
  if (entry) resolve(entry.startTime);
}).observe({type: "paint", buffered: true}))"""


def measure(contributions: int, tracks: int, folder: Path) -> dict[str, float | int | None]:
    """Build a synthetic board and open it.

    Returns:
        Seconds of processor time, milliseconds until the first content is drawn, bytes.
    """
    real = paths.TRACKS
    with synthetic_hub.hub_at(folder / "hub") as root:
        synthetic_hub.fill(real, contributions, tracks)
        start = time.process_time()
        board = collect()
        collected = time.process_time() - start
        files = build(board, root / "site")
        built = time.process_time() - start
        site, page = root / "site", root / "site" / "track0" / "index.html"
        return {
            "contributions": contributions,
            "tracks": tracks,
            "collect_cpu_s": round(collected, 2),
            "build_cpu_s": round(built, 2),
            "files": files,
            "site_bytes": sum(p.stat().st_size for p in site.rglob("*") if p.is_file()),
            "track_page_bytes": page.stat().st_size,
            **first_view(page, folder),
        }


def first_view(page: Path, folder: Path) -> dict[str, float | None]:
    """Return when the first content was drawn and when the page was ready; None without Chromium.

    The fastest of three openings: the others wait for whatever else the machine does.
    """
    if find_browser() is None:
        return {"first_view_ms": None, "ready_ms": None}
    views, readies = [], []
    with browser(folder) as tab:
        tab.show(1280, 900)
        for _ in range(3):
            readies.append(tab.open(page.as_uri()))
            views.append(float(tab.run(FIRST_PAINT)))
            if tab.complaints():
                raise SystemExit(f"error: the page complains: {tab.complaints()}")
    return {"first_view_ms": round(min(views)), "ready_ms": round(min(readies))}


def main() -> int:
    """Measure, print, write; return 1 when a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contributions", type=int, default=CONTRIBUTIONS)
    parser.add_argument("--tracks", type=int, default=TRACKS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as temporary:
        found = measure(args.contributions, args.tracks, Path(temporary))
    print(json.dumps(found, indent=1))
    if (args.contributions, args.tracks) == (CONTRIBUTIONS, TRACKS):
        record("site", found)
    too_slow = (found["build_cpu_s"] or 0) > BUILD_LIMIT_S
    too_late = (found["first_view_ms"] or 0) > VIEW_LIMIT_MS
    return int(too_slow or too_late)


if __name__ == "__main__":
    raise SystemExit(main())
