"""Small things that main.py needs to run without the hub."""

import random

import numpy as np
import torch
from diffusers import StableDiffusionPipeline


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def load_pipeline(folder):
    if not (folder / "model_index.json").is_file():
        raise SystemExit(f"There is no base model in {folder}.")
    return StableDiffusionPipeline.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, safety_checker=None
    )


class PrintReporter:
    """Stands in for the hub's progress bar."""

    def step(self, step, loss):
        if step % 20 == 0:
            print(f"step {step}: loss {loss:.4f}")
