"""What the isolation costs: starting a child, and training in one, on every layer that works.

For training processor time is compared, not wall time, so that a busy machine does not decide; for
starting, the quickest of several. The layers take turns. Writes results/sandbox.json.

    python -m benchmarks.sandbox
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness import paths
from harness.contributions.registry import load_reference
from harness.protocol.machine import processor_name, usable_cores
from harness.sandbox import layers, trial
from harness.sandbox.child import Child, run_children
from harness.sandbox.choose import why_not
from harness.sandbox.resource_use import read_spent
from harness.worker.jobs import Answer, TrainJob
from toolkit.core import atomic

FIGURES = paths.ROOT / "benchmarks" / "results" / "sandbox.json"
STARTS, TRAININGS, STEPS = 15, 3, 20


class Silent:
    """A progress that shows nothing."""

    def update(self, label: str, done: float, text: str) -> None:
        """Show nothing."""

    def finish(self, label: str, *, ok: bool) -> None:
        """Show nothing."""

    def __enter__(self) -> Silent:
        """Start showing nothing."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""


def main() -> int:
    """Measure and write."""
    found = [layer for layer in layers.LAYERS if why_not(layer) is None]
    starts: dict[str, list[float]] = {layer: [] for layer in found}
    trainings: dict[str, list[tuple[float, float]]] = {layer: [] for layer in found}
    with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as name:
        folder = Path(name).resolve()
        for number in range(STARTS):
            for layer in found:
                starts[layer].append(one_start(layer, folder / f"start-{layer}-{number}"))
        for _ in range(TRAININGS):
            for layer in found:
                trainings[layer].append(one_training(layer, folder / f"train-{layer}"))
                print(layer, trainings[layer][-1], flush=True)
    base = statistics.median(cpu for cpu, _ in trainings["process"])
    results = {
        layer: {
            "start_ms": round(1000 * min(starts[layer]), 1),
            "training_cpu_s": round(statistics.median(cpu for cpu, _ in trainings[layer]), 2),
            "training_cpu_ratio": round(
                statistics.median(cpu for cpu, _ in trainings[layer]) / base, 3
            ),
            "peak_memory_mib": round(max(memory for _, memory in trainings[layer]) / 2**20),
        }
        for layer in found
    }
    about = {
        "processor": processor_name(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.release()}",
        "starts": STARTS,
        "trainings": TRAININGS,
        "steps": STEPS,
        "note": "start: wall time of an interpreter that does nothing, the quickest; training: "
        "processor time of the reference's whole worker, median; ratio: to the layer 'process'",
    }
    atomic.write_text(FIGURES, json.dumps(about | {"layers": results}, indent=1) + "\n")
    print(json.dumps(results, indent=1))
    return 0


def one_start(layer: layers.LayerName, out: Path) -> float:
    """Start an interpreter that does nothing; return wall seconds."""
    (out / "tmp").mkdir(parents=True)
    program = [sys.executable, "-I", "-S", "-c", "pass"]
    start = layers.prepare(layer, trial.NoJob(), out, trial.LIMITS, program)
    began = time.perf_counter()
    code, complaint = trial.run(start.command, out)
    if code != 0:
        raise SystemExit(f"{layer}: {complaint}")
    return time.perf_counter() - began


def one_training(layer: layers.LayerName, out: Path) -> tuple[float, float]:
    """Train the reference for a few steps; return processor seconds and peak memory in bytes."""
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
    run_children([child], Silent())
    spent = read_spent(out)
    if child.ended().error or spent is None:
        raise SystemExit(f"{layer}: {child.ended().error}")
    return spent.cpu_s, spent.peak_memory_bytes


if __name__ == "__main__":
    raise SystemExit(main())
