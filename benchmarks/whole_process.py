"""From the start of a program until it is gone: a LoRA of 100 steps on the embedded base.

    python -m benchmarks.whole_process
    python -m benchmarks.whole_process --diffusers PATH/train_text_to_image_lora.py --python PYTHON

The programs take turns. Each ratio is to the floor program of the same round: the shortest honest
script (``programs/floor.py``), with PEFT. All use one thread. Peers come by path, with an
interpreter that has what they need; without a path they are left out, and the page says so.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import atomic, paths
from harness.machine import describe_machine
from harness.worker.spent import SPENT_FILE, Spent

FIGURES = paths.ROOT / "benchmarks" / "results" / "whole_process.json"
PROGRAMS = paths.ROOT / "benchmarks" / "programs"
BASE, PICTURES = paths.ROOT / "models" / "tiny-sd", paths.TRACKS / "robot" / "train"
FLOOR = "floor (PEFT)"
MIB = 1 << 20


@dataclass(frozen=True)
class Program:
    """One way to train.

    Args:
        name: For the table.
        arguments: What follows the interpreter; ``{out}`` is the folder for what it writes.
        python: The interpreter.
        noted: Whether it runs under ``first_step.py``. A program that trains in a sandbox cannot,
            and has no figure for its first step; what its worker used stands in ``spent.json``.
    """

    name: str
    arguments: tuple[str, ...]
    python: str = sys.executable
    noted: bool = True


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    first_step_s: float | None  # wall, from the start
    wall_s: float
    cpu_s: float  # of the process and all it started
    peak_mib: float  # of the largest of them


def main() -> int:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--diffusers", type=Path, help="diffusers' train_text_to_image_lora.py")
    parser.add_argument("--python", default=sys.executable, help="interpreter for the peers")
    options = parser.parse_args()
    programs = own_programs(options.steps)
    with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as temporary:
        folder = Path(temporary)
        if options.diffusers:
            data = as_image_folder(folder / "imagefolder")
            script = options.diffusers.resolve()
            programs.append(diffusers_program(script, options.python, data, options.steps))
        costs: dict[str, list[Cost]] = {one.name: [] for one in programs}
        for number in range(options.rounds):
            for one in programs:
                costs[one.name].append(measured(one, folder / f"out-{number}"))
                print(one.name, costs[one.name][-1], flush=True)
    known = {
        "steps": options.steps,
        "rounds": options.rounds,
        "machine": describe_machine(1, "none").model_dump(),
        "programs": {name: summary(found, costs[FLOOR]) for name, found in costs.items()},
    }
    atomic.write_text(FIGURES, json.dumps(known, indent=1) + "\n")
    atomic.write_text(FIGURES.with_suffix(".md"), render(known))
    return 0


def own_programs(steps: int) -> list[Program]:
    """Return the floor and the hub's own ways."""
    common = (
        *("--base", str(BASE), "--data", str(PICTURES), "--out", "{out}", "--steps", str(steps)),
        *("--resolution", "64", "--batch-size", "1", "--rank", "4"),
    )
    floor = (str(BASE), str(PICTURES), "{out}.safetensors", str(steps))
    return [
        Program(FLOOR, (str(PROGRAMS / "floor.py"), *floor)),
        Program("hub: python -m src.main", ("-m", "src.main", *common)),
        Program(
            "hub: nox -s train, in its sandbox",
            ("-m", "harness", "train", "reference", *common),
            noted=False,
        ),
    ]


def diffusers_program(script: Path, python: str, data: Path, steps: int) -> Program:
    """Return diffusers' own example with the same settings, as far as it has them."""
    arguments = (
        *("--pretrained_model_name_or_path", str(BASE), "--train_data_dir", str(data)),
        *("--output_dir", "{out}", "--max_train_steps", str(steps), "--seed", "0"),
        *("--resolution", "64", "--train_batch_size", "1", "--rank", "4"),
        *("--learning_rate", "1e-4", "--checkpointing_steps", "100000"),
    )
    return Program("diffusers' example", (str(script), *arguments), python)


def as_image_folder(folder: Path) -> Path:
    """Copy the track's pictures into the form that diffusers' example reads."""
    folder.mkdir(parents=True)
    lines = []
    for file in sorted((PICTURES / "Images").iterdir()):
        shutil.copy(file, folder)
        caption = PICTURES / "ImageCaptions" / f"{file.stem}.txt"
        text = caption.read_text(encoding="utf-8").strip()
        lines.append(json.dumps({"file_name": file.name, "text": text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def measured(program: Program, folder: Path) -> Cost:
    """Run a program once, in an empty folder.

    Raises:
        SystemExit: It failed; with the end of what it printed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    note = folder / "first-step"
    arguments = [one.replace("{out}", str(folder / "out")) for one in program.arguments]
    wrapper = [str(PROGRAMS / "first_step.py"), str(note)] if program.noted else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with (folder / "log").open("w+b") as log:
        began = time.time()
        process = subprocess.Popen(  # noqa: S603 - the benchmark's own command
            [program.python, *wrapper, *arguments],
            cwd=paths.ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.time() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # Popen need not wait any more
        log.seek(0)
        text = log.read().decode("utf-8", errors="replace")
    if process.returncode != 0 or not list(folder.rglob("*.safetensors")):
        raise SystemExit(f"{program.name} failed:\n{text[-2000:]}")
    first = float(note.read_text(encoding="ascii")) - began if note.is_file() else None
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    for file in folder.rglob(SPENT_FILE):
        spent = Spent.model_validate_json(file.read_bytes())
        cpu, peak = cpu + spent.cpu_s, max(peak, spent.peak_memory_bytes)
    return Cost(first, wall, cpu, peak / MIB)


def summary(own: list[Cost], floor: list[Cost]) -> dict[str, Any]:
    """Return medians, and the range of the ratios to the floor of the same round."""
    ratios = [mine.cpu_s / other.cpu_s for mine, other in zip(own, floor, strict=True)]
    firsts = [one.first_step_s for one in own if one.first_step_s is not None]
    return {
        "first_step_s": round(statistics.median(firsts), 2) if firsts else None,
        "wall_s": round(statistics.median(one.wall_s for one in own), 2),
        "cpu_s": round(statistics.median(one.cpu_s for one in own), 2),
        "cpu_ratio": [round(pick(ratios), 2) for pick in (statistics.median, min, max)],
        "peak_mib": round(max(one.peak_mib for one in own)),
    }


def render(known: dict[str, Any]) -> str:
    """Return the results as a page."""
    machine, programs = known["machine"], known["programs"]
    lines = [
        "# Whole programs",
        "",
        "Written by `python -m benchmarks.whole_process`; do not edit. What is compared: "
        "[docs/speed.md](../../docs/speed.md).",
        "",
        f"{known['steps']} steps on `models/tiny-sd`, batch 1, rank 4, from the start of the "
        f"program until it is gone; medians of {known['rounds']} rounds. "
        f"{machine['processor']}, torch {machine['packages']['torch']}, one thread.",
        "",
        "| program | first step after, s | wall s | processor s | ratio to the floor | peak MiB |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for name, one in programs.items():
        first = "" if one["first_step_s"] is None else f"{one['first_step_s']:.1f}"
        middle, low, high = one["cpu_ratio"]
        ratio = "1" if name == FLOOR else f"{middle:.2f} ({low:.2f} to {high:.2f})"
        lines.append(
            f"| {name} | {first} | {one['wall_s']:.1f} | {one['cpu_s']:.1f} | {ratio} | "
            f"{one['peak_mib']} |"
        )
    if not any("diffusers" in name for name in programs):
        lines += ["", "diffusers' example was left out: no path to it was given (`--diffusers`)."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
