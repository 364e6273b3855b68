"""src/scraping.py against the obvious loop: throughput, and memory that stays flat.

    python -m benchmarks.scraping [--count 100] [--latency-ms 20]

An archive on this machine serves 1,000 different pictures of 1 MB, each after a given latency. The
plain loop is `requests.get` and `write_bytes`, one picture after the other, nothing checked. A
second one also decodes each picture, as the scraper has to. Everything runs in its own process.
With another count or latency nothing is written.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
from PIL import Image

from benchmarks.page import record
from harness import paths

COUNT, LATENCIES_MS = 1000, [0, 50]
SIDE_PX = 1300
QUALITY = 95
SAMPLE_EVERY_S = 0.1


def make_file(folder: Path, number: int) -> int:
    """Write a JPEG of about 1 MB that resembles no other: coarse colours under fine grain.

    Returns:
        Its size in bytes.
    """
    noise = random.Random(number)  # noqa: S311  # no secret
    coarse = Image.frombytes("RGB", (8, 8), noise.randbytes(8 * 8 * 3))
    grain = Image.effect_noise((SIDE_PX, SIDE_PX), 40).convert("RGB")
    picture = Image.blend(coarse.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC), grain, 0.35)
    file = folder / f"{number}.jpg"
    picture.save(file, "JPEG", quality=QUALITY)
    return file.stat().st_size


def serve(folder: Path, count: int, latency_s: float, port: Any) -> None:
    """Answer searches of Openverse's shape, and the pictures of a folder."""

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path != "/images/":
                time.sleep(latency_s)
                super().do_GET()
                return
            page = int(parse_qs(asked.query)["page"][0])
            base = f"http://127.0.0.1:{port.value}/"
            results = [
                {"url": f"{base}{i}.jpg", "title": "a picture of grain", "license": "by"}
                for i in range(page * 20 - 20, min(page * 20, count))
            ]
            body = json.dumps({"page_count": -(-count // 20), "results": results}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    port.value = server.server_port
    server.serve_forever()


PLAIN_LOOP = """
import sys, io, pathlib, requests
url, count, out, decode = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
out.mkdir(parents=True)
session = requests.Session()
for i in range(count):
    data = session.get(f"{url}/{i}.jpg", timeout=20).content
    if decode == "yes":
        from PIL import Image
        Image.open(io.BytesIO(data)).load()
    (out / f"{i}.jpg").write_bytes(data)
"""


def scraper(url: str, count: int, out: Path) -> list[str]:
    """Return the scraper's command: eight connections to the one host, no pace."""
    options = ["grain", "--count", str(count), "--min-images", str(count), "--out", str(out)]
    options += ["--base-url", url, "--allow-private-addresses", "127.0.0.1"]
    options += ["--requests-per-second", "0", "--connections-per-host", "8", "--workers", "8"]
    return [sys.executable, "-m", "src.scraping", *options]


def measure(command: list[str], count: int) -> dict[str, float]:
    """Run a command; return its time, and its memory early and late."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.DEVNULL)  # noqa: S603
    watched = psutil.Process(process.pid)
    samples: list[tuple[float, int]] = []
    cpu_s = 0.0
    with suppress(psutil.NoSuchProcess):
        while process.poll() is None:
            samples.append((time.monotonic() - started, watched.memory_info().rss))
            cpu_s = sum(watched.cpu_times()[:2])  # of the program, and of the system for it
            time.sleep(SAMPLE_EVERY_S)
    if process.wait() != 0:
        raise SystemExit(f"{command[:3]} failed with exit code {process.returncode}.")
    wall_s = time.monotonic() - started
    # The first tenth is start-up: imports, and buffers that grow to their size.
    early = [rss for at, rss in samples if 0.1 * wall_s < at <= 0.4 * wall_s]
    late = [rss for at, rss in samples if at > 0.7 * wall_s]
    return {
        "wall_s": round(wall_s, 2),
        "cpu_s": round(cpu_s, 2),
        "pictures_per_s": round(count / wall_s, 1),
        "peak_mb": round(max(rss for _, rss in samples) / 1e6, 1),
        "late_peak_over_early_peak": round(max(late) / max(early), 3),
    }


def compare(folder: Path, count: int, latency_ms: int, work: Path) -> dict[str, Any]:
    """Measure the three against one archive."""
    port = multiprocessing.Value("i", 0)
    server = multiprocessing.Process(
        target=serve, args=(folder, count, latency_ms / 1000, port), daemon=True
    )
    server.start()
    try:
        while not port.value:
            time.sleep(0.01)
        url = f"http://127.0.0.1:{port.value}"
        out = work / "out"
        loop = [sys.executable, "-c", PLAIN_LOOP, url, str(count), str(out)]
        ways = {
            "plain_loop": [*loop, "no"],
            "plain_loop_that_decodes": [*loop, "yes"],
            "scraper": scraper(url, count, out),
        }
        found: dict[str, Any] = {"latency_ms": latency_ms}
        for name, command in ways.items():
            found[name] = measure(command, count)
            shutil.rmtree(out)
            print(f"{latency_ms:4} ms  {name:24} {found[name]}", file=sys.stderr)
    finally:
        server.terminate()
        server.join()
    plain, decoding, ours = (found[name]["pictures_per_s"] for name in ways)
    found["scraper_over_plain_loop"] = round(ours / plain, 2)
    found["scraper_over_decoding_loop"] = round(ours / decoding, 2)
    return found


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scraping", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help=f"pictures ({COUNT})")
    parser.add_argument("--latency-ms", type=int, nargs="+", default=LATENCIES_MS, help="(0 50)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        folder.mkdir()
        with multiprocessing.Pool() as pool:
            sizes = pool.map(partial(make_file, folder), range(options.count))
        result = {
            "pictures": options.count,
            "mean_bytes": round(sum(sizes) / len(sizes)),
            "side_px": SIDE_PX,
            "load_before": round(psutil.getloadavg()[0], 1),
            "runs": [
                compare(folder, options.count, latency, Path(name))
                for latency in options.latency_ms
            ],
        }
    print(json.dumps(result, indent=2))
    if (options.count, options.latency_ms) == (COUNT, LATENCIES_MS):
        record("scraping", result)


if __name__ == "__main__":
    main()
