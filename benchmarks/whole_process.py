"""From the start of a program until it is gone: a LoRA of 100 steps on the embedded base.

    python -m benchmarks.whole_process
    python -m benchmarks.whole_process --diffusers FILE --peft FILE --python PYTHON
    python -m benchmarks.whole_process --kohya FOLDER --kohya-python PYTHON    (or both)

The programs take turns. Ratios are of the same round: to the floor program, the shortest honest
script (``programs/floor.py``), with PEFT; and what the hub sets itself, to the peers. The hub draws
samples before and after, which no peer does: one of its lines draws them in one step, to compare
the same work. All use one thread. Peers come by path, with an
interpreter that has what they need; without a path they are left out, and the page says so:
diffusers' examples/text_to_image/train_text_to_image_lora.py, PEFT's examples/lora_dreambooth/
train_dreambooth.py, and the folder of kohya's sd-scripts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import BASE, DIFFUSERS, PEERS, PICTURES, PROGRAMS, Program, peers
from benchmarks.processes import use
from harness import paths
from harness.protocol.machine import describe_machine
from toolkit.core import atomic
from toolkit.lora_files.header import read_header

FIGURES = paths.ROOT / "benchmarks" / "results" / "whole_process.json"
FLOOR = "floor (PEFT)"
WARM_UP = 3


HUB, HUB_BARE = "hub: python -m src.main", "hub, samples of one step"
SANDBOXED = "hub: harness train, in its sandbox"


@dataclass(frozen=True)
class Cost:
    """What one run took, and what it made."""

    layers: int
    parameters: int
    first_step_s: float | None  # wall, from the start
    step_cpu_s: float | None  # median of the steps after the first three
    wall_s: float
    cpu_s: float  # of the process and all it started
    peak_mib: float  # of the largest of them


def main() -> int:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, action="append", help="may be repeated")
    parser.add_argument("--diffusers", type=Path, help="its train_text_to_image_lora.py")
    parser.add_argument("--peft", type=Path, help="its train_dreambooth.py")
    parser.add_argument("--python", default=sys.executable, help="interpreter for these two")
    parser.add_argument("--kohya", type=Path, help="folder of sd-scripts")
    parser.add_argument("--kohya-python", default=sys.executable, help="interpreter for it")
    parser.add_argument("--drop-peers", action="store_true", help="though the results have them")
    options = parser.parse_args()
    lost = lost_peers(options)
    if lost and not options.drop_peers:
        raise SystemExit(
            f"error: the results have {', '.join(lost)}, which would be lost.\n"
            "  fix  give their paths, or --drop-peers."
        )
    cases: dict[str, dict[str, Any]] = {}
    for batch in options.batch_size or [1, 4]:
        with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as temporary:
            folder = Path(temporary)
            programs = [*own_programs(options.steps, batch), *peers(options, batch, folder)]
            costs: dict[str, list[Cost]] = {one.name: [] for one in programs}
            for number in range(options.rounds):
                for one in programs:
                    costs[one.name].append(measured(one, folder / f"out-{number}"))
                    print(one.name, costs[one.name][-1], flush=True)
        cases[f"batch {batch}"] = {
            "programs": {name: summary(own, costs[FLOOR]) for name, own in costs.items()},
            "targets": targets(costs),
        }
    known = {
        "steps": options.steps,
        "rounds": options.rounds,
        "machine": describe_machine(1, "none").model_dump(),
        "cases": cases,
    }
    atomic.write_text(FIGURES, json.dumps(known, indent=1) + "\n")
    atomic.write_text(FIGURES.with_suffix(".md"), render(known))
    return 0


def lost_peers(options: argparse.Namespace) -> list[str]:
    """Return the peers that the committed results have, and that no path was given for."""
    if not FIGURES.is_file():
        return []
    cases = json.loads(FIGURES.read_bytes())["cases"].values()
    known = {name for case in cases for name in case["programs"]}
    given = dict(zip(PEERS, (options.diffusers, options.peft, options.kohya), strict=True))
    return [name for name, path in given.items() if name in known and not path]


def own_programs(steps: int, batch: int) -> list[Program]:
    """Return the floor and the hub's own ways."""
    common = (
        *("--base", str(BASE), "--data", str(PICTURES), "--out", "{out}", "--steps", str(steps)),
        *("--resolution", "64", "--batch-size", str(batch), "--rank", "4"),
    )
    floor = (str(BASE), str(PICTURES), "{out}.safetensors", str(steps), str(batch))
    return [
        Program(FLOOR, (str(PROGRAMS / "floor.py"), *floor)),
        Program(HUB, ("-m", "src.main", *common)),
        Program(HUB_BARE, ("-m", "src.main", *common, "--num-inference-steps", "1")),
        Program(SANDBOXED, ("-m", "harness", "train", "reference", *common), noted=False),
    ]


def measured(program: Program, folder: Path) -> Cost:
    """Run a program once, in an empty folder.

    Raises:
        SystemExit: It failed; with the end of what it printed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    note = folder / "steps"
    arguments = [one.replace("{out}", str(folder / "out")) for one in program.arguments]
    wrapper = [str(PROGRAMS / "note_steps.py"), str(note)] if program.noted else []
    used = use([program.python, *wrapper, *arguments], folder / "log", home=folder / "home")
    files = sorted(folder.rglob("*.safetensors"), key=lambda file: "adapter" not in file.name)
    if used.code != 0 or not files:
        raise SystemExit(f"{program.name} failed:\n{used.output[-2000:]}")
    first, step = steps_of(note.read_text(encoding="ascii")) if program.noted else (None, None)
    since = None if first is None else first - used.began
    return Cost(*size_of(files[0]), since, step, used.wall_s, used.cpu_s, used.peak_mib)


def size_of(file: Path) -> tuple[int, int]:
    """Return how many layers have a LoRA in a file, and how many numbers these are."""
    tensors = read_header(file, size_limit=None).tensors.values()
    matrices = [math.prod(one.shape) for one in tensors if len(one.shape) > 1]  # and no alphas
    return len(matrices) // 2, sum(matrices)


def steps_of(noted: str) -> tuple[float, float | None]:
    """Return the hour of the first step, and the processor's seconds of a step once it is warm."""
    lines = [line.split() for line in noted.splitlines()]
    cpu = [float(seconds) for _, seconds in lines[WARM_UP:]]
    between = [later - sooner for sooner, later in itertools.pairwise(cpu)]
    return float(lines[0][0]), statistics.median(between) if between else None


def summary(own: list[Cost], floor: list[Cost]) -> dict[str, Any]:
    """Return medians, and the range of the ratios to the floor of the same round."""
    ratios = [mine.cpu_s / other.cpu_s for mine, other in zip(own, floor, strict=True)]
    firsts = [one.first_step_s for one in own if one.first_step_s is not None]
    steps = [one.step_cpu_s for one in own if one.step_cpu_s is not None]
    return {
        "first_step_s": round(statistics.median(firsts), 2) if firsts else None,
        "step_cpu_s": round(statistics.median(steps), 4) if steps else None,
        "wall_s": round(statistics.median(one.wall_s for one in own), 2),
        "cpu_s": round(statistics.median(one.cpu_s for one in own), 2),
        "cpu_ratio": [round(pick(ratios), 2) for pick in (statistics.median, min, max)],
        "peak_mib": round(max(one.peak_mib for one in own)),
        "layers": own[0].layers,
        "parameters": own[0].parameters,
    }


def targets(costs: dict[str, list[Cost]]) -> dict[str, dict[str, float]]:
    """Return the hub's figures against what it was meant to reach; each over the rounds.

    Without peers only the step can be compared.
    """
    own, floor = costs[HUB_BARE], costs[FLOOR]
    found = {
        "step, to the floor's": (
            0.85,
            [of(a.step_cpu_s, b.step_cpu_s) for a, b in zip(own, floor, strict=True)],
        )
    }
    rivals = [costs[name] for name in PEERS if name in costs]
    if rivals:
        rounds = list(zip(*rivals, strict=True))
        walls = [
            a.wall_s / min(b.wall_s for b in peers) for a, peers in zip(own, rounds, strict=True)
        ]
        peaks = [
            a.peak_mib / min(b.peak_mib for b in peers)
            for a, peers in zip(own, rounds, strict=True)
        ]
        found["whole process, to the fastest peer's"] = (0.6, walls)
        found["peak memory, to the lowest peer's"] = (1.0, peaks)
    if DIFFUSERS in costs:
        firsts = [
            of(a.first_step_s, b.first_step_s) for a, b in zip(own, costs[DIFFUSERS], strict=True)
        ]
        found["start to first step, to diffusers'"] = (0.6, firsts)
    return {
        name: {
            "target": target,
            **{
                word: round(pick(ratios), 2)
                for word, pick in (("ratio", statistics.median), ("low", min), ("high", max))
            },
        }
        for name, (target, ratios) in found.items()
    }


def of(one: float | None, other: float | None) -> float:
    """Return a ratio of figures that both programs must have."""
    if one is None or other is None:
        raise SystemExit("A program that was noted has no step.")
    return one / other


def render(known: dict[str, Any]) -> str:
    """Return the results as a page."""
    machine = known["machine"]
    lines = [
        "# Whole programs",
        "",
        "Written by `python -m benchmarks.whole_process`; do not edit. What is compared: "
        "[docs/speed.md](../../docs/speed.md).",
        "",
        f"{known['steps']} steps on `models/tiny-sd`, rank 4, from the start of the program until "
        f"it is gone; medians of {known['rounds']} rounds. A step is of processor time. "
        f"{machine['processor']}, torch {machine['packages']['torch']}, one thread.",
    ]
    for name, case in known["cases"].items():
        lines += ["", f"## {name[0].upper()}{name[1:]}", "", *table(case["programs"])]
        lines += ["", f"What the hub was meant to reach, as *{HUB_BARE}*:", ""]
        lines += ["| ratio | target | measured | |", "|---|---:|---|---|"]
        for what, one in case["targets"].items():
            met = "met" if one["ratio"] <= one["target"] else "missed"
            spread = f"{one['ratio']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
            lines.append(f"| {what} | {one['target']:.2f} | {spread} | {met} |")
    cases = known["cases"].values()
    missing = [peer for peer in PEERS if not any(peer in case["programs"] for case in cases)]
    if missing:
        lines += ["", f"Left out, because no path was given: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def table(programs: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of one case's table."""
    yield (
        "| program | first step after, s | s per step | wall s | processor s | "
        "ratio to the floor | peak MiB | layers, trained numbers |"
    )
    yield "|---|---:|---:|---:|---:|---|---:|---:|"
    for name, one in programs.items():
        first = "" if one["first_step_s"] is None else f"{one['first_step_s']:.1f}"
        step = "" if one["step_cpu_s"] is None else f"{one['step_cpu_s']:.3f}"
        middle, low, high = one["cpu_ratio"]
        ratio = "1" if name == FLOOR else f"{middle:.2f} ({low:.2f} to {high:.2f})"
        yield (
            f"| {name} | {first} | {step} | {one['wall_s']:.1f} | {one['cpu_s']:.1f} | {ratio} | "
            f"{one['peak_mib']} | {one['layers']}, {one['parameters']:,} |"
        )


if __name__ == "__main__":
    raise SystemExit(main())
