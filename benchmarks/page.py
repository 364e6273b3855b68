"""Read and write result files, and make all pages and plots of speed from them.

    python -m benchmarks.page [--usd PRICE] [--cores COUNT]

Nothing is measured here: what each program of this folder has written is put side by side with
what the hub set itself. Prices are the only input that is not measured: they are options.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.plots import Bar, render
from harness import paths
from harness.protocol.machine import describe_machine
from toolkit.core import atomic
from toolkit.training_runs.presets import fast_layers_for

RESULTS, DOCS = paths.ROOT / "benchmarks" / "results", paths.ROOT / "docs"
FLOOR, ARITHMETIC = "floor (PEFT)", "U-Net forward, twice"
HUB_BARE = "hub, samples of one step"
PEERS = DIFFUSERS, PEFT, KOHYA = "diffusers' example", "PEFT's example", "kohya's sd-scripts"

# What the hub's default form of a step was meant to reach, as a multiple of the floor's.
STEP_TARGETS = {
    "tiny-sd, 64 px, batch 1": 0.85,
    "tiny-sd, 64 px, batch 4": 0.85,
    "sd14, 256 px, batch 1": 0.75,
    "sd14, 512 px, batch 1": 1.0,
}
SCALED = ("list", "check --all", "plan", "collect rows, ranked", "build site")

CONTRIBUTIONS, TRACKS, SEEDS = 10_000, 5, 5
USD, CORES = 0.04, 1000  # of the cluster: a price per core and hour, and how many
# A thorough run trains each seed once, one of them twice, and the reference's first seed before
# each of its two batches, for the clock.
TRAININGS, PACES = SEEDS + 1, 2


def read(name: str) -> Any:
    """Return a result file's content."""
    return json.loads((RESULTS / f"{name}.json").read_bytes())


def record(name: str, known: dict[str, Any]) -> None:
    """Write what was measured, and where; then every page anew."""
    keep(name, known | {"machine": describe_machine(1, "none").model_dump()})


def keep(name: str, known: dict[str, Any]) -> None:
    """Write a result as it is; then every page anew."""
    atomic.write_text(RESULTS / f"{name}.json", json.dumps(known, indent=1) + "\n")
    write()


def spread(ratios: Sequence[float], digits: int = 2) -> list[float]:
    """Return the median, the least and the largest of ratios."""
    return [round(pick(ratios), digits) for pick in (statistics.median, min, max)]


def write(usd: float = USD, cores: int = CORES) -> None:
    """Write the pages and the plots."""
    for path, text in wanted(usd, cores).items():
        atomic.write_text(path, text)


def wanted(usd: float = USD, cores: int = CORES) -> dict[Path, str]:
    """Return every page and plot, from the committed results alone."""
    known = {file.stem: json.loads(file.read_bytes()) for file in RESULTS.glob("*.json")}
    steps, process = known["training_step"]["cases"], known["whole_process"]["cases"]
    hub = known["scaling_hub"]
    scale = with_block(
        (DOCS / "scale.md").read_text(encoding="utf-8"),
        "paper plan",
        paper_plan(known["board_costs"], hub, usd, cores),
    )
    speed = (DOCS / "speed.md").read_text(encoding="utf-8")
    app = (DOCS / "app.md").read_text(encoding="utf-8")
    protocol = (DOCS / "protocol.md").read_text(encoding="utf-8")
    return {
        **{
            RESULTS / f"{name}.md": page(name, known)
            for name in ("commands", "parts", "training_step", "whole_process")
        },
        DOCS / "app.md": with_block(app, "way", page("app", known)),
        DOCS / "profile.md": page("profile", known),
        DOCS / "speed.md": with_block(
            with_block(speed, "figures", targets(steps, process)), "verdict", page("verdict", known)
        ),
        DOCS / "protocol.md": with_block(protocol, "cost repeats", page("cost_repeats", known)),
        DOCS / "scale.md": with_block(scale, "scaling", page("scaling", known)),
        DOCS / "images" / "speed_step.svg": step_plot(steps),
        DOCS / "images" / "speed_process.svg": process_plot(process),
        DOCS / "images" / "speed_scaling.svg": scaling_plot(hub),
    }


def page(name: str, known: dict[str, Any]) -> str:
    """Return a page of results, by their names."""
    cases = known.get("whole_process", {}).get("cases", {}).values()
    missing = [peer for peer in PEERS if not any(peer in case["programs"] for case in cases)]
    words = {"FLOOR": FLOOR, "HUB_BARE": HUB_BARE, "missing_peers": missing}
    return render(f"{name}.md", **known, **words)


def with_block(text: str, name: str, block: str) -> str:
    """Return a page with one of its blocks replaced."""
    begin = f"<!-- {name}: begin. Written by `python -m benchmarks.page`; do not edit. -->"
    end = f"<!-- {name}: end. -->"
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n\n{block}\n{end}{rest.partition(end)[2]}"


def targets(steps: dict[str, Any], process: dict[str, Any]) -> str:
    """Return the table of what was to be reached, and what was."""
    rows = []
    for case, target in STEP_TARGETS.items():
        base, px, _ = case.split(", ")
        # The form of a step that a run of this case has by default.
        form = fast_layers_for(64 if base == "tiny-sd" else 512, int(px.removesuffix(" px")))
        rows.append((case, target, f"src, fast {form}"))
    return render("targets.md", steps=steps, process=process, step_targets=rows)


def paper_plan(costs: dict[str, Any], scaling: dict[str, Any], usd: float, cores: int) -> str:
    """Return what ten thousand contributions would cost, as a table.

    Args:
        costs: What ``benchmarks.board_costs`` found.
        scaling: What ``benchmarks.scaling hub`` found.
        usd: Price of one core for an hour.
        cores: Of the cluster.
    """
    runs = CONTRIBUTIONS * TRACKS
    per_run = {
        "training, all seeds and one again": TRAININGS * costs["training_cpu_s"],
        "the reference's pace, twice": PACES * costs["training_cpu_s"],
        "scoring": SEEDS * costs["scoring_cpu_s"],
    }
    gates = CONTRIBUTIONS * costs["gate_cpu_s"] / 3600
    most = scaling["largest"]
    works = ("check --all", "plan", "collect rows, ranked", "build site")
    each = {
        name: scaling[name]["cpu_ms_per_one"][str(most)] for name in (*works, "tie groups alone")
    }
    pairs = each.pop("tie groups alone")
    each["collect rows, ranked"] -= pairs
    return render(
        "paper_plan.md",
        contributions=CONTRIBUTIONS,
        tracks=TRACKS,
        seeds=SEEDS,
        costs=costs,
        gates=gates,
        per_run=per_run,
        runs=runs,
        total=runs * sum(per_run.values()) / 3600 + gates,
        # Each is about one track. Ties are found among all pairs: ten times the rows, a hundred
        # times.
        one_core=runs * sum(each.values()) / 3.6e6,
        ties=runs * pairs * (CONTRIBUTIONS / most) / 3.6e6,
        usd=usd,
        cores=cores,
    )


def step_plot(cases: dict[str, Any]) -> str:
    """Draw the ratio of each form of a step to the floor."""
    colours = {FLOOR: plots.THEIRS, ARITHMETIC: plots.FLOOR}
    groups = {
        case: [
            Bar(f, one["ratio"], one["ratio_low"], one["ratio_high"], colours.get(f, plots.OURS))
            for f, one in found["forms"].items()
        ]
        for case, found in cases.items()
    }
    measure = "processor time, as a multiple of the floor's; quartiles"
    return plots.bars("One training step", measure, groups, [1])


def process_plot(cases: dict[str, Any]) -> str:
    """Draw the seconds of whole programs."""
    colours = {FLOOR: plots.FLOOR} | dict.fromkeys(PEERS, plots.THEIRS)
    groups = {
        case: [
            Bar(name, one["wall_s"], colour=colours.get(name, plots.OURS))
            for name, one in found["programs"].items()
        ]
        for case, found in cases.items()
    }
    return plots.bars("A LoRA of 100 steps on the embedded base", "seconds, start to gone", groups)


def scaling_plot(hub: dict[str, Any]) -> str:
    """Draw what one contribution costs among more and more of them."""
    series = {
        name: {int(count): ms for count, ms in hub[name]["cpu_ms_per_one"].items()}
        for name in SCALED
    }
    return plots.curves("One contribution among many", "processor time of each, ms", series)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--usd", type=float, default=USD, help="per core and hour")
    parser.add_argument("--cores", type=int, default=CORES, help="of the cluster")
    write(**vars(parser.parse_args()))
