"""Where the time goes, before and after, for each hot path that was changed.

    python -m benchmarks.profile            (measures, and writes docs/profile.md)

Before is always there to be measured: each change is a switch, or can be taken back in a line.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from benchmarks.page import record
from benchmarks.processes import cpu_seconds, in_turns, use
from harness import paths

ROUNDS, TOP = 5, 8
BASE = "models/tiny-sd"

# What a program that trains imports, and what of it others bring along unasked.
IMPORTS = {
    "torch": "torch",
    "torch._dynamo, which diffusers and transformers import": "torch._dynamo",
    "transformers": "transformers",
    "PEFT, because it is installed": "peft",
    "all that src.main imports at its start": "src.main",
}

IMPORT = "import src.main; from diffusers import StableDiffusionPipeline"
# Where `nox -s extras` puts scipy and onnxruntime.
EXTRAS = paths.ROOT / ".nox" / "extras"

LEAVE = """
import sys, time, atexit, gc
import toolkit.base_models.load as load
pipeline = load.load_pipeline({base!r})
if {before}:
    atexit.unregister(gc.freeze)
print(time.time(), flush=True)
"""


def main() -> None:
    """Measure, write."""
    if not all((EXTRAS / one).is_dir() for one in ("scipy", "onnxruntime")):
        raise SystemExit(
            "error: .nox/extras lacks scipy or onnxruntime, whose cost is measured.\n"
            "  fix  nox -s extras"
        )
    # First: a child's peak is never below what its parent had in memory when it was started.
    apart = unwanted()
    import torch

    torch.set_num_threads(1)
    known = {
        "step": {f"batch {batch}": profiled_steps(batch) for batch in (1, 4)},
        "memory": memory_estimate(),
        "kernel": kernel(),
        "leaving": leaving(),
        "imports": imports(),
        "unwanted": apart,
        "rounds": ROUNDS,
    }
    record("profile", known)


def profiled_steps(batch: int) -> dict[str, Any]:
    """Return what torch's profiler sees of one step in each form."""
    from torch.profiler import ProfilerActivity, profile

    from benchmarks.page import ARITHMETIC
    from benchmarks.training_step import FORMS, load_unet, prepare

    frozen, found = load_unet("tiny-sd"), {}
    with ExitStack() as stack:
        for form in FORMS:
            if form == ARITHMETIC:
                continue
            step = prepare(form, frozen, 64, batch, stack)
            for _ in range(3):
                step()
            with profile(activities=[ProfilerActivity.CPU]) as seen:
                step()
            events = sorted(seen.key_averages(), key=lambda one: -one.self_cpu_time_total)
            rows = [[e.key, e.count, round(e.self_cpu_time_total / 1e3, 2)] for e in events]
            ours, engine = (
                sum(count for key, count, _ in rows if key.startswith(kind))
                for kind in ("aten::", "autograd::engine")
            )
            found[form] = {
                "operations": ours,
                "backward_nodes": engine,
                "slowest": rows[:TOP],
            }
    return found


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median processor time of several calls."""
    return round(1e3 * statistics.median(cpu_seconds(work) for _ in range(ROUNDS)), 1)


def memory_estimate() -> dict[str, float]:
    """Return the cost of the estimate on tensors without numbers, and on real ones."""
    from src.lora import apply_lora_to_model
    from toolkit.base_models.load import load_pipeline
    from toolkit.training_runs import memory

    pipeline = load_pipeline(paths.ROOT / BASE)
    apply_lora_to_model(pipeline.unet, 4, 4, ["attention+mlp"])

    def estimate() -> object:
        return memory.saved_bytes(pipeline, 1, 64, "no")

    limit = memory.SMALL_BYTES
    memory.SMALL_BYTES = 0
    before = milliseconds(estimate)
    memory.SMALL_BYTES = limit
    return {"before_ms": before, "after_ms": milliseconds(estimate)}


def kernel() -> dict[str, float]:
    """Return the cost of reading a 3x3 kernel off a live layer of SD 1.4's middle size."""
    from torch import nn

    from toolkit.deltas import probing

    layer = nn.Conv2d(320, 320, 3, padding=1)
    at_once = probing.shows_all_at_once
    probing.shows_all_at_once = lambda original: False
    before = milliseconds(lambda: probing.probe_conv(layer, layer))
    probing.shows_all_at_once = at_once
    after = milliseconds(lambda: probing.probe_conv(layer, layer))
    return {"before_ms": before, "after_ms": after}


def leaving() -> dict[str, float]:
    """Return the time from a program's last line until its process is gone."""

    def left(before: bool) -> float:
        command = [sys.executable, "-c", LEAVE.format(base=BASE, before=before)]
        used = use(command, "leaving")
        return used.began + used.wall_s - float(used.output.split()[-1])

    found = in_turns({f"{w}_ms": partial(left, w == "before") for w in ("before", "after")}, ROUNDS)
    return {what: round(1e3 * statistics.median(taken), 1) for what, taken in found.items()}


def imports() -> dict[str, float]:
    """Return the milliseconds that imports take, with all that they import first."""
    done = subprocess.run(  # noqa: S603 - our own line
        [sys.executable, "-X", "importtime", "-c", IMPORT],
        cwd=paths.ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = re.findall(r"import time:\s+\d+ \|\s+(\d+) \|\s+(\S+)", done.stderr)
    took = {module: int(microseconds) / 1e3 for microseconds, module in lines}
    return {what: round(took.get(module, 0.0)) for what, module in IMPORTS.items()}


def unwanted() -> dict[str, dict[str, float]]:
    """Return what the imports cost with scipy and onnxruntime at hand, and without them."""
    command = [sys.executable, "-c", IMPORT]
    ways = {
        what: partial(use, command, f"imports {what}", extra_path=path)
        for what, path in (("with", str(EXTRAS)), ("without", ""))
    }
    return {
        what: {
            "wall_ms": round(1e3 * statistics.median(one.wall_s for one in used)),
            "peak_mib": round(statistics.median(one.peak_mib for one in used)),
        }
        for what, used in in_turns(ways, ROUNDS).items()
    }


if __name__ == "__main__":
    main()
