"""What a LoRA step costs on the embedded base and on the second one, taking turns.

    python -m benchmarks.base_step

The code of ``src/`` trains with the hub's defaults, batch 8, one thread. The two bases take turns,
so that a busy machine slows both; processor time is counted. Writes
``benchmarks/results/base_step.json``: seconds of a step and of what comes before the first one
(pictures and captions through the frozen parts, once for a whole training), and the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from benchmarks.page import record
from harness import paths
from harness.protocol.track import load_track
from src.dataset import make_dataset
from src.lora import make_lora
from src.train import train
from src.utils import seed_everything
from toolkit.base_models.load import load_pipeline
from toolkit.core.settings import DatasetConfig, LoraConfig, TrainConfig

BASES = ("tiny-sd", "tiny-sd-next")


class Clock:
    """Notes the processor time at the end of each step."""

    def __init__(self) -> None:
        self.began = time.process_time()
        self.ends: list[float] = []

    def step(self, step: int, loss: float) -> None:
        """Hear of a finished step."""
        self.ends.append(time.process_time())


def one_training(base: str, steps: int) -> tuple[float, float]:
    """Return processor seconds before the first step's end, and of a middling further step."""
    pipeline = load_pipeline(str(paths.ROOT / "models" / base))
    seed_everything(0)
    adapter = make_lora(pipeline=pipeline, config=LoraConfig())
    clock = Clock()
    dataset = make_dataset(
        data_dir=load_track("robot").train_dir, resolution=64, config=DatasetConfig()
    )
    config = TrainConfig(steps=steps, batch_size=8)
    train(pipeline=pipeline, dataset=dataset, adapter=adapter, config=config, reporter=clock)
    gaps = [after - before for before, after in zip(clock.ends, clock.ends[1:], strict=False)]
    return clock.ends[0] - clock.began, statistics.median(gaps)


def main() -> int:
    """Train on both bases in turns and write the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="of each training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rounds = [
        {base: one_training(base, options.steps) for base in BASES} for _ in range(options.rounds)
    ]
    old, new = BASES
    found = {
        "rounds": options.rounds,
        "step_s": {base: statistics.median(one[base][1] for one in rounds) for base in BASES},
        "until_first_step_s": {
            base: statistics.median(one[base][0] for one in rounds) for base in BASES
        },
        "step_ratio": statistics.median(one[new][1] / one[old][1] for one in rounds),
        "step_ratios": [one[new][1] / one[old][1] for one in rounds],
    }
    record("base_step", found)
    print(json.dumps({k: found[k] for k in ("step_s", "until_first_step_s", "step_ratio")}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
