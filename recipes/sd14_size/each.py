"""Does each contribution train and draw at Stable Diffusion 1.4's size? ``nox -s sd14 -- --each``.

The real commands, in their sandbox, on SD 1.4's configuration with random weights: one step on a
picture of 64 pixels, the adapter saved, one picture of two denoising steps drawn with it. What
worked is not tried again while neither the contribution nor the reference has changed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from toolkit.core import atomic
from toolkit.core.record import Record
from toolkit.core.settings import REFERENCE_NAME
from toolkit.lora_files.header import read_header

FOLDER = paths.ROOT / "runs" / "sd14_size"
RESULT = paths.ROOT / "recipes" / "sd14_size" / "each.json"
PAGE = paths.ROOT / "docs" / "sd14_size.md"

LIMIT_S = 1800.0
HEAD = """# Every contribution at Stable Diffusion 1.4's size

Written by `nox -s sd14 -- --each`; do not edit. The real commands, in their sandbox, on the
configuration of Stable Diffusion 1.4 with random weights: one step on a picture of 64 pixels, the
adapter saved, one picture drawn with it in two steps. It says that names, shapes and memory fit,
not how good a method is. Seconds are of a shared machine, starting included.

| contribution | outcome | tensors in the adapter | MB | seconds |
|---|---|---:|---:|---:|
"""


class Size(Record):
    """What became of one contribution."""

    name: str
    state: Literal["works", "fails"]
    hashes: tuple[str, str]  # of the contribution and of the reference
    tensors: int = 0
    adapter_bytes: int = 0
    seconds: float
    reason: str = ""


SIZES = TypeAdapter(list[Size])


def measure_all() -> int:
    """Measure what has no stored result, write JSON and page; return 0 if all succeed."""
    reference = registry.load_reference()
    known = {one.name: one for one in read()}
    names = [REFERENCE_NAME, *registry.contribution_names()]
    base = build_base()
    found: list[Size] = []
    for name in names:
        one = registry.load_any(name)
        hashes = (one.content_hash, reference.content_hash)
        old = known.get(name)
        if old is not None and old.hashes == hashes and old.state == "works":
            found.append(old)
            continue
        found.append(tried(one, base, hashes))
        print(
            f"{name}: {found[-1].state} after {found[-1].seconds:.0f} s {found[-1].reason}",
            flush=True,
        )
        write([*found, *(known[rest] for rest in names[len(found) :] if rest in known)])
    write(found)
    return 1 if any(one.state == "fails" for one in found) else 0


def build_base() -> Path:
    """Return the folder of the base; made once, 4 GB."""
    folder = FOLDER / "base"
    if not (folder / "model_index.json").is_file():
        from recipes.sd14_size.models import build_pipeline

        build_pipeline(0).save_pretrained(folder)
    return folder


def tried(one: Contribution, base: Path, hashes: tuple[str, str]) -> Size:
    """Train and draw with one contribution."""
    name, out = one.file.name, FOLDER / one.file.name
    size = ["--resolution", "64", "--steps", "1", "--batch-size", "1", "--fresh"]
    drawing = ["--prompt", "a robot", "--num-inference-steps", "2", "--sample-every", "1"]
    places = ["--data", str(paths.REFERENCE / "Dataset"), "--base", str(base), "--out", str(out)]
    command = [sys.executable, "-m", "harness", "train", name, *places, *size, *drawing]
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - the hub's own command
        command, cwd=paths.ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    seconds = round(time.monotonic() - began, 1)
    files, pictures = out / "adapter.safetensors", list((out / "samples").glob("step*.png"))
    if done.returncode or not files.is_file() or not pictures:
        words = [line for line in done.stderr.splitlines() if line.strip()]
        reason = words[0] if words else f"exit code {done.returncode}"
        return Size(name=name, state="fails", hashes=hashes, seconds=seconds, reason=reason[:300])
    result = Size(
        name=name,
        state="works",
        hashes=hashes,
        tensors=len(read_header(files, size_limit=None).tensors),
        adapter_bytes=files.stat().st_size,
        seconds=seconds,
    )
    shutil.rmtree(out)
    return result


def read() -> list[Size]:
    """Return what is known."""
    return SIZES.validate_json(RESULT.read_bytes()) if RESULT.is_file() else []


def write(found: Sequence[Size]) -> None:
    """Write file and page, atomically."""
    text = json.dumps([one.model_dump(mode="json") for one in found], indent=1)
    atomic.write_text(RESULT, text + "\n")
    atomic.write_text(PAGE, page(found))


def page(found: Sequence[Size]) -> str:
    """Return the page: a line for each."""
    lines = [
        f"| {one.name} | {one.state}{f': {one.reason}' if one.reason else ''} | {one.tensors} | "
        f"{one.adapter_bytes / 1e6:.1f} | {one.seconds:.0f} |"
        for one in found
    ]
    return HEAD + "\n".join(lines) + "\n"
