"""Does each contribution train and draw at Stable Diffusion 1.4's size? ``nox -s sd14 -- --each``.

The real commands, in their sandbox, on SD 1.4's configuration with random weights: one step on a
picture of 64 pixels, the adapter saved, one picture of two denoising steps drawn with it.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from harness import paths
from harness.contributions.record import Contribution
from tests.proofs.each_contribution import Hashes, Outcomes, Tried, first_fault, hub
from toolkit.lora_files.header import read_header

FOLDER = paths.ROOT / "runs" / "sd14_size"
HERE = Path(__file__).parent


class Size(Tried):
    """What became of one contribution."""

    tensors: int = 0
    adapter_bytes: int = 0
    seconds: float
    reason: str = ""


BOOK = Outcomes(Size, HERE / "each.json", HERE / "each.md", paths.ROOT / "docs" / "sd14_size.md")


def tried(one: Contribution, hashes: Hashes) -> Size:
    """Train and draw with one contribution."""
    name, out, base = one.file.name, FOLDER / one.file.name, FOLDER / "base"
    if not (base / "model_index.json").is_file():  # made once, 4 GB
        from tests.proofs.sd14_size.models import build_pipeline

        build_pipeline(0).save_pretrained(base)
    size = ("--resolution", "64", "--steps", "1", "--batch-size", "1", "--fresh")
    drawing = ("--prompt", "a robot", "--num-inference-steps", "2", "--sample-every", "1")
    places = ("--data", str(paths.REFERENCE / "Dataset"), "--base", str(base), "--out", str(out))
    began = time.monotonic()
    code, reason = hub("train", name, *places, *size, *drawing)
    seconds = round(time.monotonic() - began, 1)
    file = out / "adapter.safetensors"
    if code or not file.is_file() or not list((out / "samples").glob("step*.png")):
        reason = first_fault(reason)
        return Size(name=name, state="fails", hashes=hashes, seconds=seconds, reason=reason)
    tensors = len(read_header(file, size_limit=None).tensors)
    bytes_written = file.stat().st_size
    shutil.rmtree(out)
    return Size(
        name=name, hashes=hashes, tensors=tensors, adapter_bytes=bytes_written, seconds=seconds
    )
