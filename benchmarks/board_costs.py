"""What runs of the board cost, from what they left; the paper plan of docs/scale.md multiplies it.

    python -m benchmarks.board_costs --runs runs      (after `nox -s contribution -- --all`)
    python -m benchmarks.board_costs --gates-only     (after some `... NAME --only-gate`)

Each finished run and gate left its processor seconds, from the kernel's books, and its bytes on
disk. Of runs, which cost about the same, the median counts. Gates differ tenfold, because most
probes ask nothing of a contribution without code; a board pays for all, so their mean counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.page import RESULTS, keep, record
from harness import paths
from harness.gate.records import GateReport
from harness.protocol.machine import processor_name
from harness.protocol.row_files import read_row
from harness.sandbox.resource_use import read_spent
from toolkit.core.errors import ResultFileError, UsageError


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
    sheets = [path.with_name("sheet.webp") for path in whole]
    return {
        "runs": len(found),
        **gate_costs(gates),
        **{name: round(statistics.median(one[name] for one in found), 2) for name in found[0]},
        "row_kib": round(statistics.median(map(kib, whole)), 2),
        "sheet_kib": round(statistics.median(map(kib, sheets)), 2),
        "processor": processor_name(),
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
    # Sums of several children lie beside them, without a job.
    children = [path.parent for path in folder.rglob("job.json")]
    spent = [one for child in children if (one := read_spent(child))]
    again = 1 if row.determinism is not None else 0
    return {
        "training_cpu_s": train.cpu_s / (seeds + again),
        "scoring_cpu_s": score.cpu_s / seeds,
        "peak_memory_mib": max(train.peak_memory_bytes, score.peak_memory_bytes) / 2**20,
        "run_folder_kib": kib(folder) / seeds,
        "workers": len(spent),
        "run_cpu_s": sum(one.cpu_s for one in spent),
    }


def kib(path: Path) -> float:
    """Return the size of a file or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file()) / 2**10


def gate_costs(gates: list[float]) -> dict[str, Any]:
    """Return what gates cost, processor seconds; at least one."""
    return {
        "gates": len(gates),
        "gate_cpu_s": round(statistics.fmean(gates), 1),
        "gate_cpu_least_s": round(min(gates), 1),
        "gate_cpu_most_s": round(max(gates), 1),
        "gate_processor": processor_name(),
    }


def gate_seconds(runs: Path) -> Iterable[float]:
    """Yield the processor seconds of each gate that was run to its end, with all its workers."""
    for path in sorted(runs.glob("gate/*/*/report.json")):
        report = GateReport.model_validate_json(path.read_bytes())
        spent = [read_spent(worker) for worker in path.parent.glob("worker-*")]
        if report.complete and spent and None not in spent:
            yield sum(one.cpu_s for one in spent if one)


def with_gates(known: dict[str, Any], runs: Path) -> dict[str, Any]:
    """Return a result with its gates measured anew.

    Raises:
        UsageError: There are none.
    """
    gates = list(gate_seconds(runs))
    if not gates:
        raise UsageError(f"No gate was run to its end in {runs}.")
    return known | gate_costs(gates)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=paths.RUNS)
    parser.add_argument("--gates-only", action="store_true", help="keep what runs took")
    options = parser.parse_args()
    try:
        if options.gates_only:
            before = json.loads((RESULTS / "board_costs.json").read_bytes())
            keep("board_costs", with_gates(before, options.runs))
        else:
            record("board_costs", measure(options.runs))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
