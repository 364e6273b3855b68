"""Whole programs that the benchmarks start, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from harness import paths

BASE, PICTURES = paths.ROOT / "models" / "tiny-sd", paths.TRACKS / "robot" / "train"
LIST = paths.ROOT / "benchmarks" / "programs.toml"
COMMON = """--base {base} --data {pictures} --out {out} --steps {steps} --resolution 64
  --batch-size {batch} --rank 4"""


@dataclass(frozen=True)
class Program:
    """One way to train; the words of benchmarks/programs.toml say what is what."""

    name: str
    arguments: tuple[str, ...]
    python: str = sys.executable
    noted: bool = True


def programs(options: argparse.Namespace, batch: int, folder: Path) -> list[Program]:
    """Return the floor, the hub's own ways, and the peers whose paths were given."""
    found = []
    for name, one in tomllib.loads(LIST.read_text(encoding="utf-8")).items():
        peer: Path | None = getattr(options, one["peer"]) if "peer" in one else None
        if "peer" in one and not peer:
            continue
        layout = folder / one["layout"] if "layout" in one else None
        if layout:
            LAYOUTS[layout.name](layout)
        values = {"base": BASE, "pictures": PICTURES, "out": "{out}", "data": layout}
        values |= {"steps": options.steps, "batch": batch, "peer": peer and peer.resolve()}
        words = shlex.split(one["arguments"].replace("{common}", COMMON))
        arguments = tuple(word.format(**values) for word in words)
        python = getattr(options, one["python"]) if "python" in one else sys.executable
        found.append(Program(name, arguments, python, one.get("noted", True)))
    return found


def as_image_folder(folder: Path) -> None:
    """Copy the track's pictures into the form that diffusers' example reads."""
    folder.mkdir(parents=True)
    lines = []
    for file in sorted((PICTURES / "Images").iterdir()):
        shutil.copy(file, folder)
        caption = PICTURES / "ImageCaptions" / f"{file.stem}.txt"
        text = caption.read_text(encoding="utf-8").strip()
        lines.append(json.dumps({"file_name": file.name, "text": text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def as_kohya_folder(folder: Path) -> None:
    """Copy the track's pictures and captions into a subfolder in the form that kohya reads."""
    for part in ("Images", "ImageCaptions"):
        shutil.copytree(PICTURES / part, folder / "1_robot", dirs_exist_ok=True)  # 1: per epoch


LAYOUTS = {"imagefolder": as_image_folder, "kohya": as_kohya_folder}
