"""What runs of the board cost, from what they left; the paper plan of docs/scale.md multiplies it.

    python -m benchmarks.board_costs --runs runs      (after `nox -s contribution -- --all`)

Each finished run left its processor seconds, from the kernel's books, and its bytes on disk.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.page import record
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
    whole = [path for path in rows if (path.parent / "again").is_dir()]  # of all seeds
    if not found or not gates or not whole:
        raise UsageError(
            f"There is no finished run of all seeds in {runs}.",
            fix="nox -s contribution -- --all --record",
        )
    sheets = [path.with_name("sheet.webp") for path in whole]
    return {
        "runs": len(found),
        "gates": len(gates),
        "gate_cpu_s": round(statistics.median(gates), 1),
        **{name: round(statistics.median(one[name] for one in found), 2) for name in found[0]},
        "row_kib": round(statistics.median(map(kib, whole)), 2),
        "sheet_kib": round(statistics.median(map(kib, sheets)), 2),
        "processor": processor_name(),
    }


def one_run(folder: Path) -> dict[str, float] | None:
    """Return what one run took per training and per scoring; None where it trained nothing."""
    train, score = (
        [one for path in folder.glob(f"{kind}/seed-*") if (one := read_spent(path))]
        for kind in ("train", "score")
    )
    try:
        row = read_row(folder / "row.json")
    except ResultFileError:
        return None
    if not train or not score or row.costs is None or row.control:
        return None
    spent = [one for path in folder.rglob("spent.json") if (one := read_spent(path.parent))]
    return {
        "training_cpu_s": statistics.fmean(one.cpu_s for one in train),
        "scoring_cpu_s": statistics.fmean(one.cpu_s for one in score),
        "peak_memory_mib": max(one.peak_memory_bytes for one in (*train, *score)) / 2**20,
        "run_folder_kib": kib(folder) / len(train),
        "workers": len(spent),
        "run_cpu_s": sum(one.cpu_s for one in spent),
    }


def kib(path: Path) -> float:
    """Return the size of a file or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file()) / 2**10


def gate_seconds(runs: Path) -> Iterable[float]:
    """Yield the processor seconds of each gate that was run to its end."""
    for path in sorted(runs.glob("gate/*/*/report.json")):
        report = GateReport.model_validate_json(path.read_bytes())
        if report.complete and report.cpu_seconds:
            yield sum(report.cpu_seconds.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=paths.RUNS)
    try:
        record("board_costs", measure(parser.parse_args().runs))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
