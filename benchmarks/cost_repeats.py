"""How far the cost of a training depends on what else the machine does.

    python -m benchmarks.cost_repeats               (nothing else on the machine)
    python -m benchmarks.cost_repeats --beside 2    (beside two processes that multiply matrices)

A contribution that trains to the same bits as the reference is trained again and again beside it,
as in a scored run: two tasks of the run's own pool, metered from outside. Its cost is then 1.00 by
construction, and what is measured is the meter. Writes ``results/cost_repeats.json``, a case for
each number of processes beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.page import RESULTS, record
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.track import Track, load_track
from harness.runs import pipeline
from harness.runs.graph.pool import Pool
from harness.runs.graph.task import Task
from harness.runs.steps.side import Side
from harness.runs.steps.train import Training, keep_costs
from toolkit.core.errors import HubError
from toolkit.core.progress import Progress, create_progress

NAME = "cost_repeats"
TWIN = "FewSteps"  # its settings differ in drawing alone
WITHIN = 0.03
# Two matrices of 512 x 512 are as much as one core's cache holds.
BURN = "import torch; torch.set_num_threads(1); a = torch.rand(512, 512)\nwhile True: a @ a"


@contextmanager
def beside(number: int) -> Iterator[None]:
    """Keep so many cores busy."""
    burning = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(number)]  # noqa: S603
    try:
        yield
    finally:
        for one in burning:
            one.kill()
            one.wait()


def cost(twin: Contribution, track: Track, progress: Progress) -> float:
    """Train the twin and the reference with one seed; return the ratio of their costs.

    Raises:
        HubError: A training failed, or the two are no twins.
    """
    options = pipeline.Options(fresh=True)
    attempt = pipeline.plan(twin, track, options, track.file.seeds[:1], progress)
    with tempfile.TemporaryDirectory(prefix="hub-costs-") as name:
        attempt = replace(attempt, folder=Path(name) / "own", reference_folder=Path(name) / "other")
        own = Side(attempt, twin, attempt.own_training, attempt.seeds, fresh=True)
        pace = Side(attempt, attempt.reference, attempt.pace, attempt.seeds, fresh=True)
        works = {"own": Training(own, attempt.seeds[0]), "pace": Training(pace, attempt.seeds[0])}
        tasks = [Task(name, "train", work) for name, work in works.items()]
        if not Pool().run_tasks(tasks, progress):
            failed = next(one.failed for one in works.values() if one.failed is not None)
            raise HubError(f"A training failed: {failed.error.what if failed.error else ''}")
        if own.outcomes[0].losses != pace.outcomes[0].losses:
            raise HubError(f"{twin.name} does not train as the reference does.")
        costs = keep_costs(attempt, own, pace, None)
        (seed,) = attempt.seeds
        return costs.cpu_seconds[seed] / costs.reference_cpu_seconds[seed]


def summary(ratios: Sequence[float]) -> dict[str, Any]:
    """Return the ratios and how they are spread."""
    near = sum(abs(one - 1) <= WITHIN for one in ratios)
    return {
        "ratios": [round(one, 3) for one in sorted(ratios)],
        "median": round(statistics.median(ratios), 3),
        "within": near,
        "repeats": len(ratios),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--beside", type=int, default=0, help="busy processes (default: none)")
    options = parser.parse_args()
    twin, track = registry.load(TWIN), load_track("robot")
    with create_progress(Console(stderr=True)) as progress, beside(options.beside):
        ratios = []
        for number in range(options.repeats):
            ratios.append(cost(twin, track, progress))
            print(f"{number + 1}: {ratios[-1]:.3f}", flush=True)
    file = RESULTS / f"{NAME}.json"
    known = json.loads(file.read_bytes())["cases"] if file.is_file() else {}
    cases = {**known, str(options.beside): summary(ratios)}
    record(NAME, {"within": WITHIN, "cases": dict(sorted(cases.items()))})


if __name__ == "__main__":
    main()
