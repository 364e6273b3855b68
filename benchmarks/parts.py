"""Parts of a run by themselves: drawing prompts together or one by one, starting or forking.

    python -m benchmarks.parts

Drawing: the reference's `generate` on the embedded base, a grid of prompts in one call and in a
call each; ratios of processor time of the same round. Starting: an interpreter that imports what a
worker needs and loads the base, against a child forked from one that has the imports already. How
much of a run that would save is worked out with what runs took (results/board_costs.json).
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.paper_plan import RESULT as COSTS
from benchmarks.processes import use
from harness import paths
from harness.protocol.machine import describe_machine
from toolkit.core import atomic

FIGURES = paths.ROOT / "benchmarks" / "results" / "parts.json"
BASE = paths.ROOT / "models" / "tiny-sd"
ROUNDS, PROMPTS, STEPS = 5, 8, 10
LOAD = f"from toolkit.base_models.load import load_pipeline; load_pipeline({str(BASE)!r})"


def main() -> int:
    """Measure, write, print."""
    known = {
        "drawing": drawing(),
        "starting": starting(),
        "rounds": ROUNDS,
        "machine": describe_machine(1, "none").model_dump(),
    }
    atomic.write_text(FIGURES, json.dumps(known, indent=1) + "\n")
    atomic.write_text(FIGURES.with_suffix(".md"), render(known))
    print(render(known))
    return 0


def drawing() -> dict[str, Any]:
    """Return the processor seconds of a grid drawn at once, one by one, and their ratio."""
    import torch

    from src.generate import generate
    from src.lora import make_lora
    from toolkit.base_models.load import load_pipeline
    from toolkit.core.settings import GenerateConfig, LoraConfig

    torch.set_num_threads(1)
    pipeline = load_pipeline(BASE)
    adapter = make_lora(pipeline=pipeline, config=LoraConfig())
    config = GenerateConfig(height=64, width=64, num_inference_steps=STEPS, seed=0)
    prompts = [f"a robot, number {number}" for number in range(PROMPTS)]
    ways = {"together": [prompts], "one by one": [[prompt] for prompt in prompts]}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS + 1):
        for way, calls in ways.items():
            began = time.process_time()
            for call in calls:
                generate(pipeline=pipeline, adapter=adapter, prompts=call, config=config)
            seconds[way].append(time.process_time() - began)
    together, single = seconds["together"][1:], seconds["one by one"][1:]  # the first is warm-up
    ratios = [one / other for one, other in zip(together, single, strict=True)]
    return {
        "prompts": PROMPTS,
        "steps": STEPS,
        "together_s": round(statistics.median(together), 3),
        "one_by_one_s": round(statistics.median(single), 3),
        "ratio": [round(pick(ratios), 3) for pick in (statistics.median, min, max)],
    }


def starting() -> dict[str, Any]:
    """Return the processor seconds until the base is loaded, in a new and in a forked process."""
    with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as temporary:
        log = Path(temporary) / "log"
        fresh = [use([sys.executable, "-c", LOAD], log).cpu_s for _ in range(ROUNDS)]
        asked = use([sys.executable, "-m", "benchmarks.parts", "fork"], log)
    if asked.code != 0:
        raise SystemExit(asked.output[-2000:])
    forked = [float(word) for word in asked.output.split()[-ROUNDS:]]
    return {
        "fresh_s": round(statistics.median(fresh), 2),
        "forked_s": round(statistics.median(forked), 2),
    }


def fork() -> None:
    """Load a base in children of a process that has imported everything; print their seconds."""
    from toolkit.base_models.load import load_pipeline

    load_pipeline(BASE)  # what it imports on its way is there afterwards
    for _ in range(ROUNDS):
        child = os.fork()
        if child == 0:
            load_pipeline(BASE)
            os._exit(0)
        _, _, used = os.wait4(child, 0)
        print(used.ru_utime + used.ru_stime, flush=True)


def render(known: dict[str, Any]) -> str:
    """Return the results as a page."""
    machine, drawn, started = known["machine"], known["drawing"], known["starting"]
    middle, low, high = drawn["ratio"]
    costs = json.loads(COSTS.read_bytes())
    saved = started["fresh_s"] - started["forked_s"]
    share = saved * costs["workers"] / costs["run_cpu_s"]
    return f"""# Parts of a run

Written by `python -m benchmarks.parts`; do not edit. {machine["processor"]}, torch \
{machine["packages"]["torch"]}, one thread, processor time, medians of {known["rounds"]} rounds.

| drawing {drawn["prompts"]} prompts, {drawn["steps"]} steps | s |
|---|---:|
| together | {drawn["together_s"]:.2f} |
| one by one | {drawn["one_by_one_s"]:.2f} |
| ratio | {middle:.2f} ({low:.2f} to {high:.2f}) |

| until a worker has the base | s |
|---|---:|
| a new process | {started["fresh_s"]:.2f} |
| forked from one with all imports | {started["forked_s"]:.2f} |

A run starts {costs["workers"]:.0f} workers (median of {costs["runs"]}) and takes \
{costs["run_cpu_s"]:.0f} s of processor time: forking would save {100 * share:.0f} % of it.
"""


if __name__ == "__main__":
    if sys.argv[1:] == ["fork"]:
        fork()
        raise SystemExit(0)
    raise SystemExit(main())
