"""Feed the readers for as long as wanted; say what did it and how many files they got.

    nox -s fuzz -- --minutes 10

With atheris installed (``pip install atheris``: Linux and macOS) the files are chosen by the code
that they reach; without it hypothesis makes them. Writes docs/fuzz.json.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

from harness import paths
from toolkit.core import atomic

# atheris sees only code that it was there to watch being imported.
WATCHED = ["harness", "toolkit", "tests.fuzz.readers"]
HAS_ATHERIS = importlib.util.find_spec("atheris") is not None
with contextlib.ExitStack() as _watching:
    if HAS_ATHERIS and "--reader" in sys.argv:
        import atheris

        _watching.enter_context(atheris.instrument_imports(include=WATCHED))
    from tests.fuzz.readers import READERS, SEEDS, read

FIGURES = paths.ROOT / "docs" / "fuzz.json"
HANGS_S = 10
TELL_EVERY = 50


def main() -> int:
    """Share the time among the readers, one process each; return 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="in all (default: 10)")
    parser.add_argument("--reader", choices=READERS, help="one of them, in this process")
    parser.add_argument("--corpus", type=Path, help="where atheris keeps its files")
    args = parser.parse_args()
    seconds = args.minutes * 60
    if args.reader:
        return one(args.reader, seconds, args.corpus)
    engine = "atheris" if HAS_ATHERIS else "hypothesis"
    print(f"Engine: {engine}.")
    found: dict[str, object] = {}
    failed = False
    for name in READERS:
        corpus = paths.RUNS / "fuzz" / name
        corpus.mkdir(parents=True, exist_ok=True)
        (corpus / "seed").write_bytes(SEEDS[name])
        command = [sys.executable, "-m", "tests.fuzz", "--reader", name, "--corpus", str(corpus)]
        command += ["--minutes", str(args.minutes / len(READERS))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        files = [line for line in done.stdout.splitlines() if line.startswith("files ")]
        figures = json.loads(files[-1][6:]) if files else {}
        found[name] = figures | {"failed": done.returncode != 0}
        print(name, found[name], flush=True)
        if done.returncode != 0:
            failed = True
            print(done.stdout[-2000:], done.stderr[-4000:])
    about = {"engine": engine, "python": platform.python_version(), "minutes": args.minutes}
    atomic.write_text(FIGURES, json.dumps(about | {"readers": found}, indent=1) + "\n")
    return int(failed)


def one(name: str, seconds: float, corpus: Path | None) -> int:
    """Feed one reader in this process; a failure is an exception of the engine's."""
    count, slowest = 0, 0.0
    read(name, SEEDS[name])  # so that what is imported is not counted as growth
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def feed(data: bytes) -> None:
        nonlocal count, slowest
        began = time.process_time()
        read(name, data)
        took = time.process_time() - began
        slowest = max(slowest, took)
        count += 1
        if count % TELL_EVERY == 0:
            tell()  # libFuzzer ends the process without a word to Python
        if took > HANGS_S:
            raise TimeoutError(f"{name} took {took:.1f} s for {len(data)} bytes")

    def tell() -> None:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        figures = {"files": count, "slowest_s": round(slowest, 3), "memory_grown_kib": grown}
        print("files " + json.dumps(figures), flush=True)

    if HAS_ATHERIS:
        with_atheris(feed, seconds, corpus)
    else:
        with_hypothesis(name, feed, seconds)
        tell()
    return 0


def with_atheris(feed, seconds, corpus) -> None:
    """Let atheris choose until the time is over; it ends the process itself."""
    limits = [f"-max_total_time={int(seconds)}", "-max_len=4096", "-rss_limit_mb=3000"]
    atheris.Setup([sys.argv[0], *limits, f"-timeout={HANGS_S}", str(corpus)], feed)
    atheris.Fuzz()


def with_hypothesis(name, feed, seconds) -> None:
    """Let hypothesis make files until the time is over."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    from tests.fuzz.test_readers import damaged

    end = time.monotonic() + seconds

    @settings(
        max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.one_of(st.binary(max_size=2000), damaged(SEEDS[name])))
    def check(data):
        if time.monotonic() < end:
            feed(data)

    while time.monotonic() < end:
        check()


if __name__ == "__main__":
    raise SystemExit(main())
