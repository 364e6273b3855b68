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
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.page import DIFFUSERS, FLOOR, HUB_BARE, PEERS, RESULTS, read, record, spread
from benchmarks.processes import in_turns, use
from benchmarks.programs import Program, programs
from harness import paths
from toolkit.lora_files.header import read_header

NOTE_STEPS = paths.ROOT / "benchmarks" / "programs" / "note_steps.py"
WARM_UP = 3

# What the hub, drawing samples of one step, was meant to reach: the largest ratio of a figure to
# the least of these programs' in the same round.
TARGETS: dict[str, tuple[float, str, tuple[str, ...]]] = {
    "step, to the floor's": (0.85, "step_cpu_s", (FLOOR,)),
    "whole process, to the fastest peer's": (0.6, "wall_s", PEERS),
    "peak memory, to the lowest peer's": (1.0, "peak_mib", PEERS),
    "start to first step, to diffusers'": (0.6, "first_step_s", (DIFFUSERS,)),
}


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


def main() -> None:
    """Measure, write."""
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
            ways = {
                one.name: partial(measured, one, folder / "out")
                for one in programs(options, batch, folder)
            }
            costs = in_turns(ways, options.rounds)
        cases[f"batch {batch}"] = {
            "programs": {name: summary(own, costs[FLOOR]) for name, own in costs.items()},
            "targets": targets(costs),
        }
    record("whole_process", {"steps": options.steps, "rounds": options.rounds, "cases": cases})


def lost_peers(options: argparse.Namespace) -> list[str]:
    """Return the peers that the committed results have, and that no path was given for."""
    if not (RESULTS / "whole_process.json").is_file():
        return []
    known = {name for case in read("whole_process")["cases"].values() for name in case["programs"]}
    given = dict(zip(PEERS, (options.diffusers, options.peft, options.kohya), strict=True))
    return [name for name, path in given.items() if name in known and not path]


def measured(program: Program, folder: Path) -> Cost:
    """Run a program once, in an empty folder.

    Raises:
        SystemExit: It failed, or made no file; with the end of what it printed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    note = folder / "steps"
    arguments = [one.replace("{out}", str(folder / "out")) for one in program.arguments]
    wrapper = [str(NOTE_STEPS), str(note)] if program.noted else []
    used = use([program.python, *wrapper, *arguments], program.name, home=folder / "home")
    files = sorted(folder.rglob("*.safetensors"), key=lambda file: "adapter" not in file.name)
    if not files:
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
    return {
        "first_step_s": middle((one.first_step_s for one in own), 2),
        "step_cpu_s": middle((one.step_cpu_s for one in own), 4),
        "wall_s": middle((one.wall_s for one in own), 2),
        "cpu_s": middle((one.cpu_s for one in own), 2),
        "cpu_ratio": spread([a.cpu_s / b.cpu_s for a, b in zip(own, floor, strict=True)]),
        "peak_mib": round(max(one.peak_mib for one in own)),
        "layers": own[0].layers,
        "parameters": own[0].parameters,
    }


def middle(values: Iterable[float | None], digits: int) -> float | None:
    """Return the median of the values that are there."""
    known = [value for value in values if value is not None]
    return round(statistics.median(known), digits) if known else None


def targets(costs: dict[str, list[Cost]]) -> dict[str, dict[str, float]]:
    """Return the hub's figures against what it was meant to reach; each over the rounds.

    Without peers only the step can be compared.
    """
    found = {}
    for what, (target, figure, names) in TARGETS.items():
        rivals = [costs[name] for name in names if name in costs]
        if rivals:
            ratios = [
                value(own, figure) / min(value(rival, figure) for rival in others)
                for own, *others in zip(costs[HUB_BARE], *rivals, strict=True)
            ]
            ratio, low, high = spread(ratios)
            found[what] = {"target": target, "ratio": ratio, "low": low, "high": high}
    return found


def value(cost: Cost, figure: str) -> float:
    """Return a figure that a program must have."""
    found: float | None = getattr(cost, figure)
    if found is None:
        raise SystemExit("A program that was noted has no step.")
    return found


if __name__ == "__main__":
    main()
