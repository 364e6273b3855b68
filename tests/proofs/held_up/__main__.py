"""Is the best of a contest also the best on pictures that are held out a second time?

    nox -s held_up                 # 20 splits; what is in the log is not run again
    nox -s held_up -- --splits 5

The 24 photos in photos/, which no contribution was tuned on, are divided anew for each split:
half are taught, a quarter judges (A), a quarter judges the judgement (B). Three contributions train
on the taught ones with a short budget and two seeds. Each split is one line of result.jsonl.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import paths
from tests.proofs.held_up.judging import Half, Line, judge, summary
from toolkit.core import atomic

RESULT = Path(__file__).with_name("result.jsonl")
PHOTOS = RESULT.with_name("photos")
SPLITS = 20
PAGE = paths.ROOT / "docs" / "contest.md"
BEGIN = "<!-- held up: begin. Written by `nox -s held_up`; do not edit. -->"
END = "<!-- held up: end -->"


def known(file: Path = RESULT) -> list[Line]:
    """Return the splits that have been run; a line that was cut is run again."""
    lines = []
    for text in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            read = json.loads(text)
            lines.append(Line(read["split"], Half(**read["a"]), Half(**read["b"])))
        except (ValueError, TypeError, KeyError):
            continue
    return lines


def main() -> None:
    """Run what is missing, one split after the other, and print the summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--splits", type=int, default=SPLITS)
    wanted = range(parser.parse_args().splits)
    there = {line.split for line in known()}
    missing = [number for number in wanted if number not in there]
    if missing:
        from tests.proofs.held_up.training import Bench

        bench = Bench(PHOTOS)
        for number in missing:
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                line = bench.run(number, Path(folder))
            with RESULT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(as_json(line)) + "\n")
            seconds = time.monotonic() - began
            print(f"split {number}: {judge(line)}, {seconds:.0f} s", flush=True)
    text = summary([line for line in known() if line.split in wanted])
    write(text)
    print(text)


def as_json(line: Line) -> dict[str, Any]:
    """Return a line as its file has it."""
    return {"split": line.split, "a": line.a._asdict(), "b": line.b._asdict()}


def write(text: str) -> None:
    """Put the summary between its marks in the documentation."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    atomic.write_text(PAGE, f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
