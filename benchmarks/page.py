"""Put the committed figures of speed into docs/speed.md, and draw their plots.

    python -m benchmarks.page

Nothing is measured here: what each program of this folder has written is put side by side with
what the hub set itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import plots, training_step, whole_process
from benchmarks.plots import FLOOR, OURS, THEIRS, Bar
from harness import paths
from toolkit.core import atomic
from toolkit.training_runs.presets import fast_layers_for

RESULTS = paths.ROOT / "benchmarks" / "results"
PAGE = paths.ROOT / "docs" / "speed.md"
IMAGES = paths.ROOT / "docs" / "images"
BEGIN = "<!-- figures: begin. Written by `python -m benchmarks.page`; do not edit. -->"
END = "<!-- figures: end. -->"

# What the hub's default form of a step was meant to reach, as a multiple of the floor's.
STEP_TARGETS = {
    "tiny-sd, 64 px, batch 1": 0.85,
    "tiny-sd, 64 px, batch 4": 0.85,
    "sd14, 256 px, batch 1": 0.75,
    "sd14, 512 px, batch 1": 1.0,
}
SCALED = ("list", "check --all", "plan", "collect rows, ranked", "build site")


def main() -> int:
    """Write the page's block and the plots."""
    for path, text in wanted().items():
        atomic.write_text(path, text)
    return 0


def wanted() -> dict[Path, str]:
    """Return every file that this program writes, from the committed results alone."""
    steps = read("training_step")["cases"]
    process, hub = read("whole_process")["cases"], read("scaling_hub")
    return {
        IMAGES / "speed_step.svg": step_plot(steps),
        IMAGES / "speed_process.svg": process_plot(process),
        IMAGES / "speed_scaling.svg": scaling_plot(hub),
        PAGE: with_block("\n".join([*targets(steps, process), ""])),
    }


def read(name: str) -> Any:
    """Return a result file's content."""
    return json.loads((RESULTS / f"{name}.json").read_bytes())


def with_block(block: str) -> str:
    """Return the page with its block replaced."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{block}\n{END}{tail}"


def default_form(case: str) -> str:
    """Return the form of a step that a run of this case has by default."""
    base, px, _ = case.split(", ")
    native_px = 64 if base == "tiny-sd" else 512
    chosen = fast_layers_for(native_px, int(px.removesuffix(" px")))
    return f"src, fast {chosen}"


def targets(steps: dict[str, Any], process: dict[str, Any]) -> Iterator[str]:
    """Yield the table of what was to be reached, and what was."""
    yield "| case | ratio | target | measured | |"
    yield "|---|---|---:|---|---|"
    for case, target in STEP_TARGETS.items():
        form = default_form(case)
        if case not in steps:
            yield f"| {case} | a step, to the floor's | {target:.2f} | not measured | |"
            continue
        one = steps[case]["forms"][form]
        spread = f"{one['ratio']:.3f} ({one['ratio_low']:.3f} to {one['ratio_high']:.3f})"
        met = "met" if one["ratio"] <= target else "missed"
        yield f"| {case}, *{form}* | a step, to the floor's | {target:.2f} | {spread} | {met} |"
    for case, found in process.items():
        for what, one in found["targets"].items():
            if what.startswith("step"):
                continue  # the table above has it from many more rounds
            met = "met" if one["ratio"] <= one["target"] else "missed"
            spread = f"{one['ratio']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
            name = f"tiny-sd, {case}, 100 steps"
            yield f"| {name} | {what} | {one['target']:.2f} | {spread} | {met} |"


def step_plot(cases: dict[str, Any]) -> str:
    """Draw the ratio of each form of a step to the floor."""
    colours = {training_step.FLOOR: THEIRS, training_step.ARITHMETIC: FLOOR}
    groups = {
        case: [
            Bar(form, one["ratio"], one["ratio_low"], one["ratio_high"], colours.get(form, OURS))
            for form, one in found["forms"].items()
        ]
        for case, found in cases.items()
    }
    return plots.bars(
        "One training step", "processor time, as a multiple of the floor's; quartiles", groups, [1]
    )


def process_plot(cases: dict[str, Any]) -> str:
    """Draw the seconds of whole programs."""
    groups = {
        case: [
            Bar(name, one["wall_s"], colour=colour_of(name))
            for name, one in found["programs"].items()
        ]
        for case, found in cases.items()
    }
    return plots.bars("A LoRA of 100 steps on the embedded base", "seconds, start to gone", groups)


def colour_of(program: str) -> str:
    """Return the colour of a program's bar."""
    if program == whole_process.FLOOR:
        return FLOOR
    return OURS if program.startswith("hub") else THEIRS


def scaling_plot(hub: dict[str, Any]) -> str:
    """Draw what one contribution costs among more and more of them."""
    series = {
        name: {int(count): ms for count, ms in hub[name]["cpu_ms_per_one"].items()}
        for name in SCALED
    }
    return plots.curves("One contribution among many", "processor time of each, ms", series)


if __name__ == "__main__":
    raise SystemExit(main())
