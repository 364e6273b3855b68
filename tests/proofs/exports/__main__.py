"""Train each contribution on the embedded base, export it, draw with the file: ``nox -s exports``.

The real commands: ``train`` in its sandbox, then ``export``, which loads each file it writes with
diffusers and draws with it and, as inside the hub, without it. What worked is not tried again while
neither the contribution nor the reference has changed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

from harness import paths
from harness.contributions.record import Contribution
from tests.proofs.each_contribution import Hashes, Outcomes, Tried, first_fault, hub
from toolkit.core.record import Record
from toolkit.lora_files.header import read_header

HERE = Path(__file__).parent
FORMATS = {"kohya": "lora.safetensors", "merged": "model"}
STEPS = "30"
# What `export` says when a format has no room for something.
REFUSALS = ("no LoRA holds", "LoRA file holds no", "no file can hold")


class Export(Record):
    """One file of a contribution, or why there is none."""

    state: Literal["works", "refused", "fails"]
    made_of: str = ""
    left_out: float | None = None  # share of the change
    apart: float | None = None  # of pictures, share of black to white
    changed: float | None = None  # by training
    reason: str = ""


class Exports(Tried):
    """All files of a contribution."""

    exports: dict[str, Export]


BOOK = Outcomes(
    Exports, HERE / "result.json", HERE / "page.md", paths.ROOT / "docs" / "export_everybody.md"
)


def tried(one: Contribution, hashes: Hashes) -> Exports:
    """Train one contribution, and export it in every form."""
    with tempfile.TemporaryDirectory(prefix="exports-", dir=paths.RUNS) as temporary:
        found = exported(one.file.name, Path(temporary))
    fails = any(export.state == "fails" for export in found.values())
    state: Literal["works", "fails"] = "fails" if fails else "works"
    return Exports(name=one.file.name, hashes=hashes, state=state, exports=found)


def exported(name: str, folder: Path) -> dict[str, Export]:
    """Train, and return what became of each form."""
    run = str(folder / "run")
    size = ("--resolution", "64", "--steps", STEPS, "--num-inference-steps", "1")
    places = ("--data", str(paths.REFERENCE / "Dataset"), "--out", run)
    code, reason = hub("train", name, *places, *size, "--prompt", "a sks robot")
    if code != 0:
        return dict.fromkeys(FORMATS, Export(state="fails", reason=first_fault(reason)))
    found = {}
    for form, file in FORMATS.items():
        out = folder / file
        code, reason = hub("export", name, "--run", run, "--format", form, "--out", str(out))
        found[form] = described(out) if code == 0 else refused(reason)
        shutil.rmtree(out, ignore_errors=True)
    return found


def refused(reason: str) -> Export:
    """Return why there is no file; only what a format cannot hold is a good reason."""
    fault = first_fault(reason)
    good = any(words in fault for words in REFUSALS)
    return Export(state="refused" if good else "fails", reason=fault)


def described(out: Path) -> Export:
    """Return what a file says about itself."""
    folder = out.is_dir()
    text = (out / "hub_export.json").read_text(encoding="utf-8") if folder else None
    about: dict[str, Any] = json.loads(text or read_header(out).metadata["hub.export"])
    return Export(
        state="works",
        made_of=str(about.get("made", "everything")),
        left_out=about.get("relative_error"),
        apart=about["picture_difference"],
        changed=about["picture_change_by_training"],
    )


if __name__ == "__main__":
    argparse.ArgumentParser(prog="nox -s exports", description=__doc__).parse_args()
    raise SystemExit(BOOK.run(tried))
