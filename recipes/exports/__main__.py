"""Train each contribution on the embedded base, export it, draw with the file: ``nox -s exports``.

The real commands: ``train`` in its sandbox, then ``export``, which loads each file it writes with
diffusers and draws with it and, as inside the hub, without it. What worked is not tried again while
neither the contribution nor the reference has changed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from harness import paths
from harness.commands.cli import main as hub
from harness.contributions import registry
from harness.contributions.record import Contribution
from toolkit.core import atomic
from toolkit.core.record import Record
from toolkit.core.settings import REFERENCE_NAME
from toolkit.lora_files.header import read_header

RESULT = paths.ROOT / "recipes" / "exports" / "result.json"
PAGE = paths.ROOT / "docs" / "exports.md"
FORMATS = {"kohya": "lora.safetensors", "merged": "model"}
STEPS = 30
# What `export` says when a format has no room for something.
REFUSALS = ("no LoRA holds", "LoRA file holds no", "no file can hold")

HEAD = f"""# Every contribution's export

Written by `nox -s exports`; do not edit. Each contribution trained the embedded base for {STEPS}
steps, and its adapter left the hub as a LoRA in kohya's format and as a whole model. Diffusers,
without a line of the contribution's code, loaded the file and drew with it.

- *left out*: the share of the change that the file does not hold. For a plain LoRA whose factors
  have the names of their layers that is rounding; the nearest LoRA to anything else is made of
  singular values and leaves out at most 5 %.
- *apart*: the mean difference of the pictures to those inside the hub, a share of black to white.
- *changed*: what training itself changed them by.

What a format cannot hold is refused, never dropped.

| contribution | kohya | left out | apart | merged: apart | changed |
|---|---|---:|---:|---:|---:|
"""


class Export(Record):
    """One file of a contribution, or why there is none."""

    state: Literal["works", "refused", "fails"]
    made_of: str = ""
    left_out: float | None = None  # share of the change
    apart: float | None = None  # of pictures, share of black to white
    changed: float | None = None  # by training
    reason: str = ""


class Exported(Record):
    """What became of one contribution."""

    name: str
    hashes: tuple[str, str]  # of the contribution and of the reference
    exports: dict[str, Export]


KNOWN = TypeAdapter(list[Exported])


def main() -> int:
    """Export what has no stored result, write JSON and page; return 0 if all succeed."""
    reference = registry.load_reference()
    known = {(one.name, one.hashes): one for one in read()}
    found: list[Exported] = []
    for name in (REFERENCE_NAME, *registry.contribution_names()):
        one = registry.load_any(name)
        hashes = (one.content_hash, reference.content_hash)
        old = known.get((name, hashes))
        if old is None or any(export.state == "fails" for export in old.exports.values()):
            old = Exported(name=name, hashes=hashes, exports=tried(one))
            print(name, {form: export.state for form, export in old.exports.items()}, flush=True)
        found.append(old)
        write(found)
    return int(any(e.state == "fails" for one in found for e in one.exports.values()))


def tried(one: Contribution) -> dict[str, Export]:
    """Train one contribution, and export it in every form."""
    name = one.file.name
    with tempfile.TemporaryDirectory(prefix="exports-", dir=paths.RUNS) as temporary:
        run = Path(temporary) / "run"
        size = ("--resolution", "64", "--steps", str(STEPS), "--num-inference-steps", "1")
        places = ("--data", str(paths.REFERENCE / "Dataset"), "--out", str(run))
        code, reason = quietly("train", name, *places, *size, "--prompt", "a sks robot")
        if code != 0:
            return dict.fromkeys(FORMATS, Export(state="fails", reason=first_fault(reason)))
        found = {}
        for form, file in FORMATS.items():
            out = Path(temporary) / file
            code, reason = quietly(
                "export", name, "--run", str(run), "--format", form, "--out", str(out)
            )
            found[form] = exported(out) if code == 0 else refused(reason)
            shutil.rmtree(out, ignore_errors=True)
        return found


def quietly(*words: str) -> tuple[int, str]:
    """Give a command of the hub; return its exit code and what it reason."""
    reason = io.StringIO()
    with contextlib.redirect_stdout(reason), contextlib.redirect_stderr(reason):
        code = hub(list(words))
    return code, reason.getvalue()


def first_fault(reason: str) -> str:
    """Return the sentence of an error among what a command reason."""
    lines = [line.removeprefix("error: ") for line in reason.splitlines()]
    faults = [line for line in reason.splitlines() if line.startswith("error: ")]
    return (faults[0].removeprefix("error: ") if faults else (lines or [""])[-1])[:200]


def refused(reason: str) -> Export:
    """Return why there is no file; only what a format cannot hold is a good reason."""
    fault = first_fault(reason)
    good = any(words in fault for words in REFUSALS)
    return Export(state="refused" if good else "fails", reason=fault)


def exported(out: Path) -> Export:
    """Return what a file says about itself."""
    about: dict[str, Any]
    if out.is_dir():
        about = json.loads((out / "hub_export.json").read_text(encoding="utf-8"))
    else:
        about = json.loads(read_header(out).metadata["hub.export"])
    return Export(
        state="works",
        made_of=str(about.get("made", "everything")),
        left_out=about.get("relative_error"),
        apart=about["picture_difference"],
        changed=about["picture_change_by_training"],
    )


def read() -> list[Exported]:
    """Return what is known."""
    return KNOWN.validate_json(RESULT.read_bytes()) if RESULT.is_file() else []


def write(found: Sequence[Exported]) -> None:
    """Write file and page, atomically."""
    text = json.dumps([one.model_dump(mode="json") for one in found], indent=1)
    atomic.write_text(RESULT, text + "\n")
    atomic.write_text(PAGE, page(found))


def page(found: Sequence[Exported]) -> str:
    """Return the page: a line for each."""
    return HEAD + "".join(f"{line(one)}\n" for one in found)


def line(one: Exported) -> str:
    """Return the line of a contribution."""
    kohya, merged = one.exports["kohya"], one.exports["merged"]
    changed = next((e.changed for e in (merged, kohya) if e.changed is not None), None)
    cells = (
        one.name,
        kohya.made_of if kohya.state == "works" else why(kohya),
        percent(kohya.left_out),
        percent(kohya.apart),
        percent(merged.apart) if merged.state == "works" else why(merged),
        percent(changed),
    )
    return f"| {' | '.join(cells)} |"


def why(export: Export) -> str:
    """Return why there is no file; the list of names behind the sentence is left to the command."""
    return f"{export.state}: {export.reason.partition(': ')[0]}"


def percent(share: float | None) -> str:
    """Return a share as a percentage; nothing where there is none."""
    if share is None:
        return ""
    # A step of a picture's 8 bits is 0.4 % of one number: less than this says nothing any more.
    return f"{100 * share:.2f}%" if share == 0 or share >= 5e-5 else "<0.01%"


if __name__ == "__main__":
    argparse.ArgumentParser(prog="nox -s exports", description=__doc__).parse_args()
    raise SystemExit(main())
