"""src/scraping.py against the obvious loop: throughput, and memory that stays flat.

    python -m benchmarks.scraping --out benchmarks/results/scraping.json

An archive on this machine serves 1,000 different pictures of 1 MB, each after a given latency. The
plain loop is `requests.get` and `write_bytes`, one picture after the other, nothing checked. A
second one also decodes each picture, as the scraper has to. Everything runs in its own process.
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
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from toolkit.core import atomic

ROOT = Path(__file__).resolve().parent.parent
SIDE_PX = 1300
QUALITY = 95
SAMPLE_EVERY_S = 0.1


def make_picture(seed: int) -> bytes:
    """Return a JPEG of about 1 MB that resembles no other: coarse colours under fine grain."""
    noise = random.Random(seed)  # noqa: S311  # no secret
    coarse = Image.frombytes("RGB", (8, 8), noise.randbytes(8 * 8 * 3))
    grain = Image.effect_noise((SIDE_PX, SIDE_PX), 40).convert("RGB")
    picture = Image.blend(coarse.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC), grain, 0.35)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def make_file(folder: Path, number: int) -> int:
    """Write one picture; return its size in bytes."""
    return (folder / f"{number}.jpg").write_bytes(make_picture(number))


def serve(folder: Path, count: int, latency_s: float, port: Any) -> None:
    """Answer searches of Openverse's shape, and the pictures of a folder."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/images/":
                body = json.dumps(self.page(int(self.path.split("&page=")[1].split("&")[0])))
                self.answer(body.encode(), "application/json")
            else:
                time.sleep(latency_s)
                self.answer((folder / path.rsplit("/", 1)[1]).read_bytes(), "image/jpeg")

        def page(self, number: int) -> dict[str, Any]:
            numbers = range(number * 20 - 20, min(number * 20, count))
            base = f"http://127.0.0.1:{self.server.server_port}/"  # type: ignore[attr-defined]
            results = [
                {"url": f"{base}{i}.jpg", "title": "a picture of grain", "license": "by"}
                for i in numbers
            ]
            return {"page_count": -(-count // 20), "results": results}

        def answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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


def plain_loop(url: str, count: int, out: Path, decode: str) -> list[str]:
    """Return the command of the loop."""
    return [sys.executable, "-c", PLAIN_LOOP, url, str(count), str(out), decode]


def scraper(url: str, count: int, out: Path) -> list[str]:
    """Return the scraper's command: eight connections to the one host, no pace."""
    options = ["grain", "--count", str(count), "--min-images", str(count), "--out", str(out)]
    options += ["--base-url", url, "--allow-private-addresses", "127.0.0.1"]
    options += ["--requests-per-second", "0", "--connections-per-host", "8", "--workers", "8"]
    return [sys.executable, "-m", "src.scraping", *options]


def measure(command: list[str], count: int) -> dict[str, float]:
    """Run a command; return its time, and its memory early and late."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603
    watched = psutil.Process(process.pid)
    samples: list[tuple[float, int]] = []
    cpu_s = 0.0
    while process.poll() is None:
        try:
            samples.append((time.monotonic() - started, watched.memory_info().rss))
            times = watched.cpu_times()
            cpu_s = times.user + times.system
        except psutil.NoSuchProcess:
            break
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
        ways: dict[str, Callable[[Path], list[str]]] = {
            "plain_loop": lambda out: plain_loop(url, count, out, "no"),
            "plain_loop_that_decodes": lambda out: plain_loop(url, count, out, "yes"),
            "scraper": lambda out: scraper(url, count, out),
        }
        found: dict[str, Any] = {"latency_ms": latency_ms}
        for name, way in ways.items():
            out = work / f"{name}-{latency_ms}"
            found[name] = measure(way(out), count)
            shutil.rmtree(out)
            print(f"{latency_ms:4} ms  {name:24} {found[name]}", file=sys.stderr)
    finally:
        server.terminate()
        server.join()
    rate = {name: found[name]["pictures_per_s"] for name in ways}
    found["scraper_over_plain_loop"] = round(rate["scraper"] / rate["plain_loop"], 2)
    found["scraper_over_decoding_loop"] = round(
        rate["scraper"] / rate["plain_loop_that_decodes"], 2
    )
    return found


def main() -> int:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scraping")
    parser.add_argument("--count", type=int, default=1000, help="pictures (1000)")
    parser.add_argument("--latency-ms", type=int, nargs="+", default=[0, 50], help="(0 50)")
    parser.add_argument("--out", type=Path, help="JSON file; left out = print only")
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
            "cpu_cores": psutil.cpu_count(),
            "load_before": round(psutil.getloadavg()[0], 1),
            "runs": [
                compare(folder, options.count, latency, Path(name))
                for latency in options.latency_ms
            ],
        }
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if options.out:
        atomic.write_text(options.out, text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
