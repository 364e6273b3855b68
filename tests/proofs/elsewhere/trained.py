"""Files of contributions to hand to other programs: trained for a moment, exported in each format.

They stay in ``runs/elsewhere`` while neither the contribution nor the reference has changed.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from harness import paths
from harness.contributions import registry
from tests.proofs.each_contribution import first_fault, hub

FOLDER: Final = paths.RUNS / "elsewhere"
# Format -> name of the file or folder.
FILES: Final = {
    "kohya": "kohya.safetensors",
    "diffusers": "diffusers.safetensors",
    "peft": "peft",
}
STEPS: Final = 30
SAID: Final = "said.txt"


def files_of(name: str) -> tuple[dict[str, Path], str]:
    """Return a contribution's files by format, and what `export` said where it wrote none."""
    one = registry.load_any(name)
    folder = FOLDER / name / one.content_hash.removeprefix("sha256:")[:12]
    if not (folder / SAID).is_file():
        made(name, folder)
    found = {form: folder / file for form, file in FILES.items() if (folder / file).exists()}
    return found, (folder / SAID).read_text(encoding="utf-8")


def made(name: str, folder: Path) -> None:
    """Train one contribution on the embedded base, and export it in every format of LoRAs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run, said = folder / "run", ""
    size = ("--resolution", "64", "--steps", str(STEPS), "--num-inference-steps", "1")
    places = ("--data", str(paths.REFERENCE / "Dataset"), "--out", str(run))
    code, text = hub("train", name, *places, *size, "--prompt", "a sks robot")
    if code != 0:
        said = f"training fails: {first_fault(text)}"
    else:
        for form, file in FILES.items():
            how = ("--format", form, "--out", str(folder / file), "--dtype", "fp32")
            code, text = hub("export", name, "--run", str(run), *how, "--no-pictures")
            said = said if code == 0 else first_fault(text)
    shutil.rmtree(run, ignore_errors=True)
    (folder / SAID).write_text(said, encoding="utf-8")
