"""Example1: start reading here.

The hub imports this file and calls the four hooks it finds in it. To try it without the hub:

    python -m CONTRIBUTIONS.Example1.src.main --prompt "a sks robot on a beach"
"""

import argparse
from pathlib import Path

from harness.records import GenerateConfig, LoraConfig, TrainConfig

# One dot means "from my own folder". `from lora import ...` or `from src.lora import ...` would
# find somebody else's file of the same name.
from .dataset import make_dataset
from .generate import generate
from .lora import make_lora
from .train import train
from .utils import PrintReporter, load_pipeline, seed_everything

HERE = Path(__file__).resolve().parent
MODEL = HERE.parents[2] / "models" / "tiny-sd"


def main():
    parser = argparse.ArgumentParser(description="Train Example1 and draw one picture.")
    parser.add_argument("--data", type=Path, default=HERE.parent / "Dataset")
    parser.add_argument("--base", type=Path, default=MODEL)
    parser.add_argument("--steps", type=int, default=TrainConfig().steps)
    parser.add_argument("--prompt", default="a sks robot, on a blue background")
    parser.add_argument("--out", type=Path, default=Path("runs/Example1.png"))
    options = parser.parse_args()

    seed_everything(0)
    pipeline = load_pipeline(options.base)
    dataset = make_dataset(options.data, resolution=64)
    adapter = make_lora(pipeline, LoraConfig())
    train(pipeline, dataset, adapter, TrainConfig(steps=options.steps), PrintReporter())
    (picture,) = generate(pipeline, adapter, [options.prompt], GenerateConfig())

    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture.save(options.out)
    print(options.out)


if __name__ == "__main__":
    main()
