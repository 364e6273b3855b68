"""Where the time goes, before and after, for each hot path that was changed.

    python -m benchmarks.profile            (measures, and writes docs/profile.md)

Before is always there to be measured: each change is a switch, or can be taken back in a line.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.processes import Used, use
from harness import paths
from harness.protocol.machine import describe_machine
from toolkit.core import atomic

FIGURES = paths.ROOT / "benchmarks" / "results" / "profile.json"
PAGE = paths.ROOT / "docs" / "profile.md"
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


def main() -> int:
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
        "machine": describe_machine(1, "none").model_dump(),
    }
    atomic.write_text(FIGURES, json.dumps(known, indent=1) + "\n")
    atomic.write_text(PAGE, render(known))
    return 0


def profiled_steps(batch: int) -> dict[str, Any]:
    """Return what torch's profiler sees of one step in each form."""
    from torch.profiler import ProfilerActivity, profile

    from benchmarks.training_step import ARITHMETIC, FORMS, load_unet, prepare

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
            events = seen.key_averages()
            slowest = sorted(events, key=lambda one: -one.self_cpu_time_total)[:TOP]
            found[form] = {
                "operations": sum(one.count for one in events if one.key.startswith("aten::")),
                "backward_nodes": sum(
                    one.count for one in events if one.key.startswith("autograd::engine")
                ),
                "slowest": [
                    [one.key, one.count, round(one.self_cpu_time_total / 1e3, 2)] for one in slowest
                ],
            }
    return found


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median processor time of several calls."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return round(1e3 * statistics.median(seconds), 1)


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
    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for before, seconds in found.items():
            code = LEAVE.format(base=BASE, before=before)
            done = subprocess.run(  # noqa: S603 - our own line
                [sys.executable, "-c", code], cwd=paths.ROOT, stdout=subprocess.PIPE, check=True
            )
            seconds.append(time.time() - float(done.stdout))
    return {
        "before_ms": round(1e3 * statistics.median(found[True]), 1),
        "after_ms": round(1e3 * statistics.median(found[False]), 1),
    }


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
    found: dict[str, list[Used]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as folder:
        for _ in range(ROUNDS):
            for what, used in found.items():
                path = str(EXTRAS) if what == "with" else ""
                command = [sys.executable, "-c", IMPORT]
                used.append(use(command, Path(folder, "log"), extra_path=path))
                if used[-1].code:
                    raise SystemExit(used[-1].output)
    return {
        what: {
            "wall_ms": round(1e3 * statistics.median(one.wall_s for one in used)),
            "peak_mib": round(statistics.median(one.peak_mib for one in used)),
        }
        for what, used in found.items()
    }


def render(known: dict[str, Any]) -> str:
    """Return the page."""
    machine = known["machine"]
    lines = [
        "# Where the time goes, before and after",
        "",
        "Written by `python -m benchmarks.profile`; do not edit. "
        f"{machine['processor']}, torch {machine['packages']['torch']}, one thread. What was "
        "changed and why: [speed](speed.md).",
        "",
        "| hot path | before, ms | after, ms |",
        "|---|---:|---:|",
    ]
    for what, part in (
        ("memory estimate of the embedded base: fake tensors, real ones", "memory"),
        ("reading one 3x3 kernel of 320 channels off a trained layer", "kernel"),
        ("leaving a process that has a base", "leaving"),
    ):
        one = known[part]
        lines.append(f"| {what} | {one['before_ms']:,.0f} | {one['after_ms']:,.0f} |")
    lines += ["", "## Imports", ""]
    lines += ["Of one program that trains; what an import brings along is counted in.", ""]
    lines += ["| import | ms |", "|---|---:|"]
    lines += [f"| {what} | {ms:,.0f} |" for what, ms in known["imports"].items()]
    costs = [
        f"{one['wall_ms']:,} ms and {one['peak_mib']} MiB" for one in known["unwanted"].values()
    ]
    lines += [
        "",
        "Where scipy and onnxruntime are installed, transformers and torch import them, too. A "
        "process that imports all this, and the class of the pipeline, takes "
        f"{costs[0]} with them, {costs[1]} without: so they are no part of the hub.",
    ]
    for case, forms in known["step"].items():
        lines += ["", f"## A step on the embedded base, {case}", ""]
        lines += ["| form | operations | nodes backward |", "|---|---:|---:|"]
        lines += [
            f"| {form} | {one['operations']:,} | {one['backward_nodes']:,} |"
            for form, one in forms.items()
        ]
        for form, one in forms.items():
            lines += ["", f"*{form}*: the {TOP} largest, by their own time", ""]
            lines += ["| operation | calls | ms |", "|---|---:|---:|"]
            lines += [f"| `{name}` | {count} | {ms:.2f} |" for name, count, ms in one["slowest"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
