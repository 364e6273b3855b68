"""What ten thousand contributions would cost, from what a board on this machine did cost.

    python -m benchmarks.paper_plan measure --runs runs      (after `nox -s contribution -- --all`)
    python -m benchmarks.paper_plan write                    (docs/scale.md's table, anew)

``measure`` reads what each finished run left: processor seconds from the kernel's books, bytes on
disk. ``write`` multiplies. Prices are the only input that is not measured: they are options.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness import paths
from harness.gate.records import GateReport
from harness.protocol.machine import describe_machine
from harness.protocol.row_files import read_row
from harness.sandbox.resource_use import read_spent
from toolkit.core import atomic
from toolkit.core.errors import ResultFileError, UsageError

RESULT = paths.ROOT / "benchmarks" / "results" / "board_costs.json"
SCALING = paths.ROOT / "benchmarks" / "results" / "scaling_hub.json"
PAGE = paths.ROOT / "docs" / "scale.md"
BEGIN = (
    "<!-- paper plan: begin. Written by `python -m benchmarks.paper_plan write`; do not edit. -->"
)
END = "<!-- paper plan: end. -->"

CONTRIBUTIONS, TRACKS, SEEDS = 10_000, 5, 5
USD, CORES = 0.04, 1000  # of the cluster: a price per core and hour, and how many
# A thorough run trains each seed once, one of them twice, and the reference's first seed before
# each of its two batches, for the clock.
TRAININGS, PACES = SEEDS + 1, 2


def measure(runs: Path) -> dict[str, Any]:
    """Return medians over the finished runs below a folder.

    Raises:
        UsageError: There are none.
    """
    rows = sorted(runs.glob("*/*/*/row.json"))
    found = [one for path in rows if (one := one_run(path.parent))]
    gates = list(gate_seconds(runs))
    whole = [path for path in rows if not (path.parent / "train").exists()]  # of all seeds together
    if not found or not gates or not whole:
        raise UsageError(
            f"There is no finished run of all seeds in {runs}.",
            fix="nox -s contribution -- --all --record",
        )
    middle = {name: statistics.median(one[name] for one in found) for name in found[0]}
    machine = describe_machine(1, "none")
    return {
        "runs": len(found),
        "gates": len(gates),
        "gate_cpu_s": round(statistics.median(gates), 1),
        **{name: round(value, 2) for name, value in middle.items()},
        "row_kib": round(statistics.median(size(path) for path in whole) / 2**10, 2),
        "sheet_kib": round(
            statistics.median(size(path.with_name("sheet.webp")) for path in whole) / 2**10, 2
        ),
        "processor": machine.processor,
        "python": machine.python,
    }


def one_run(folder: Path) -> dict[str, float] | None:
    """Return what one run took per training and per scoring; None where it trained nothing."""
    train, score = read_spent(folder / "train"), read_spent(folder / "score")
    seeds = len(list((folder / "train").glob("seed-*")))
    try:
        row = read_row(folder / "row.json")
    except ResultFileError:
        return None
    if train is None or score is None or not seeds or row.costs is None or row.control:
        return None
    spent = [one for path in folder.rglob("spent.json") if (one := read_spent(path.parent))]
    again = 1 if row.determinism is not None else 0
    return {
        "training_cpu_s": train.cpu_s / (seeds + again),
        "scoring_cpu_s": score.cpu_s / seeds,
        "peak_memory_mib": max(train.peak_memory_bytes, score.peak_memory_bytes) / 2**20,
        "run_folder_kib": size(folder) / 2**10 / seeds,
        "workers": len(spent),
        "run_cpu_s": sum(one.cpu_s for one in spent),
    }


def size(path: Path) -> int:
    """Return the bytes of a file or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file())


def gate_seconds(runs: Path) -> Iterable[float]:
    """Yield the processor seconds of each gate that was run to its end."""
    for path in sorted(runs.glob("gate/*/*/report.json")):
        report = GateReport.model_validate_json(path.read_bytes())
        if report.complete and report.cpu_seconds:
            yield sum(report.cpu_seconds.values())


def table(costs: dict[str, Any], scaling: dict[str, Any], usd: float, cores: int) -> str:
    """Return the paper plan as markdown.

    Args:
        costs: What ``measure`` found.
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
    hours = {name: runs * seconds / 3600 for name, seconds in per_run.items()}
    total = sum(hours.values()) + gates
    most = scaling["largest"]
    each = {
        name: scaling[name]["cpu_ms_per_one"][str(most)]
        for name in (
            "check --all",
            "plan",
            "collect rows, ranked",
            "tie groups alone",
            "build site",
        )
    }
    pairs = each.pop("tie groups alone")
    each["collect rows, ranked"] -= pairs
    # Each is about one track. Ties are found among all pairs: ten times the rows, a hundred times.
    one_core = TRACKS * CONTRIBUTIONS * sum(each.values()) / 3.6e6
    ties = TRACKS * CONTRIBUTIONS * pairs * (CONTRIBUTIONS / most) / 3.6e6
    disk = runs * SEEDS * costs["run_folder_kib"] / 2**20
    board = runs * (costs["row_kib"] + costs["sheet_kib"]) / 2**20
    lines = [
        f"| {CONTRIBUTIONS:,} contributions x {TRACKS} tracks x {SEEDS} seeds | core hours |",
        "|---|---:|",
        f"| gate, once per contribution ({costs['gate_cpu_s']:.0f} s) | {gates:,.0f} |",
        *(
            f"| {name} ({per_run[name]:.0f} s per run) | {value:,.0f} |"
            for name, value in hours.items()
        ),
        f"| **all runs** | **{total:,.0f}** |",
        f"| plan, check, collect and build the site, on one core | {one_core:,.2f} |",
        f"| tie groups, all pairs, on one core | {ties:,.2f} |",
        "",
        f"- On {cores:,} cores: {total / cores:,.1f} hours of wall time for the runs.",
        f"- Money: {usd * total:,.0f} USD at {usd} USD per core and hour (a price of ours, not "
        "measured: put in your own with `--usd`).",
        f"- Memory: {costs['peak_memory_mib']:,.0f} MiB per run at its peak, so "
        f"{cores * costs['peak_memory_mib'] / 1024:,.0f} GiB in the cluster.",
        f"- Storage: {board:,.1f} GiB of rows and sheets on the board "
        f"({costs['row_kib']:.0f} + {costs['sheet_kib']:.0f} KiB each); {disk:,.0f} GiB if the "
        "folders of all runs are kept (weights, pictures, logs).",
        f"- Measured on {costs['runs']} runs and {costs['gates']} gates, {costs['processor']}, "
        "embedded base model, processor time.",
    ]
    return "\n".join(lines)


def write(usd: float, cores: int) -> None:
    """Put the table into docs/scale.md."""
    costs, scaling = (json.loads(path.read_bytes()) for path in (RESULT, SCALING))
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    body = table(costs, scaling, usd, cores)
    atomic.write_text(PAGE, f"{head}{BEGIN}\n\n{body}\n\n{END}{tail}")


def main(arguments: list[str] | None = None) -> int:
    """Measure or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("measure", "write"))
    parser.add_argument("--runs", type=Path, default=paths.RUNS)
    parser.add_argument("--usd", type=float, default=USD, help="per core and hour")
    parser.add_argument("--cores", type=int, default=CORES, help="of the cluster")
    args = parser.parse_args(arguments)
    if args.what == "write":
        write(args.usd, args.cores)
        return 0
    try:
        text = json.dumps(measure(args.runs), indent=1)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    atomic.write_text(RESULT, text + "\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
