"""Parts of a run by themselves: drawing prompts together or one by one, starting or forking.

    python -m benchmarks.parts

Drawing: the reference's `generate` on the embedded base, a grid of prompts in one call and in a
call each; ratios of processor time of the same round. Starting: an interpreter that imports what a
worker needs and loads the base, against a child forked from one that has the imports already. How
much of a run that would save is worked out with what runs took (results/board_costs.json).
"""

from __future__ import annotations

import os
import statistics
import sys
from functools import partial
from typing import Any

from benchmarks.page import record, spread
from benchmarks.processes import cpu_seconds, in_turns, use
from harness import paths

BASE = paths.ROOT / "models" / "tiny-sd"
ROUNDS, PROMPTS, STEPS = 5, 8, 10
LOAD = f"from toolkit.base_models.load import load_pipeline; load_pipeline({str(BASE)!r})"


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

    def drawn(calls: list[list[str]]) -> None:
        for call in calls:
            generate(pipeline=pipeline, adapter=adapter, prompts=call, config=config)

    prompts = [f"a robot, number {number}" for number in range(PROMPTS)]
    ways = {"together": [prompts], "one by one": [[prompt] for prompt in prompts]}
    found = in_turns(
        {way: partial(cpu_seconds, partial(drawn, calls)) for way, calls in ways.items()},
        ROUNDS,
        warm_up=1,
    )
    together, single = found.values()
    return {
        "prompts": PROMPTS,
        "steps": STEPS,
        "together_s": round(statistics.median(together), 3),
        "one_by_one_s": round(statistics.median(single), 3),
        "ratio": spread([a / b for a, b in zip(together, single, strict=True)], 3),
    }


def starting() -> dict[str, Any]:
    """Return the processor seconds until the base is loaded, in a new and in a forked process."""
    fresh = [use([sys.executable, "-c", LOAD], "a new process").cpu_s for _ in range(ROUNDS)]
    asked = use([sys.executable, "-m", "benchmarks.parts", "fork"], "forked processes")
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


if __name__ == "__main__":
    if sys.argv[1:] == ["fork"]:
        fork()
    else:
        record("parts", {"drawing": drawing(), "starting": starting(), "rounds": ROUNDS})
