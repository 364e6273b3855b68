"""What the isolation costs: starting a child, and training in one, on every layer that works.

For training processor time is compared, not wall time, so that a busy machine does not decide; for
starting, the quickest of several. The layers take turns. Writes results/sandbox.json.

    python -m benchmarks.sandbox
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.page import record
from benchmarks.processes import MIB, in_turns
from harness import paths
from harness.contributions.registry import load_reference
from harness.sandbox import layers, trial
from harness.sandbox.child import Child, run_children
from harness.sandbox.choose import why_not
from harness.sandbox.resource_use import Spent, read_spent
from harness.sandbox.task_limit import limited
from harness.worker.jobs import Answer, TrainJob
from toolkit.core.progress import create_progress

STARTS, TRAININGS, STEPS = 15, 3, 20
NOTE = (
    "start: wall time of an interpreter that does nothing, the quickest; training: processor time "
    "of the reference's whole worker, median; ratio: to the layer 'process'"
)


def main() -> None:
    """Measure and write."""
    found = [layer for layer in layers.LAYERS if why_not(layer) is None]
    with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as name:
        folder = Path(name).resolve()
        starts = in_turns(
            {layer: partial(one_start, layer, folder / f"start-{layer}") for layer in found}, STARTS
        )
        trainings = in_turns(
            {layer: partial(one_training, layer, folder / f"train-{layer}") for layer in found},
            TRAININGS,
        )
    cpu = {layer: statistics.median(spent.cpu_s for spent in trainings[layer]) for layer in found}
    results = {
        layer: {
            "start_ms": round(1000 * min(starts[layer]), 1),
            "training_cpu_s": round(cpu[layer], 2),
            "training_cpu_ratio": round(cpu[layer] / cpu["process"], 3),
            "peak_memory_mib": round(max(one.peak_memory_bytes for one in trainings[layer]) / MIB),
        }
        for layer in found
    }
    about = {"starts": STARTS, "trainings": TRAININGS, "steps": STEPS, "note": NOTE}
    record("sandbox", about | {"layers": results})
    print(json.dumps(results, indent=1))


def one_start(layer: layers.LayerName, out: Path) -> float:
    """Start an interpreter that does nothing; return wall seconds."""
    (out / "tmp").mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-I", "-S", "-c", "pass"]
    start = layers.prepare(layer, trial.NoJob(), out, trial.LIMITS, program)
    began = time.perf_counter()
    code, complaint = trial.run(limited(start.command, start.tasks), out)
    if code != 0:
        raise SystemExit(f"{layer}: {complaint}")
    return time.perf_counter() - began


def one_training(layer: layers.LayerName, out: Path) -> Spent:
    """Train the reference for a few steps; return what it took."""
    reference = load_reference()
    job = TrainJob(
        contribution=reference,
        reference=reference,
        base_model=str(paths.ROOT / "models" / "tiny-sd"),
        out=out,
        data_dir=paths.TRACKS / "robot" / "train",
        resolution=64,
        steps=STEPS,
        batch_size=8,
        seeds=(0,),
        prompts=("a sks robot",),
    )
    read = Answer.model_validate_json
    child = Child("reference", "harness.worker.main", job, out, 600, read, isolation=layer)
    run_children([child], create_progress(Console(quiet=True)))
    spent = read_spent(out)
    if child.ended().error or spent is None:
        raise SystemExit(f"{layer}: {child.ended().error}")
    print(layer, spent, flush=True)
    return spent


if __name__ == "__main__":
    main()
