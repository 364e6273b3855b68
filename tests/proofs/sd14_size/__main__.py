"""Train, save, load and draw at SD 1.4's size: ``nox -s sd14``.

python -m tests.proofs.sd14_size --resolution 64 --out tests/proofs/sd14_size/result.json
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from harness import paths
from tests.proofs.sd14_size.each import BOOK, tried
from toolkit.core import atomic

GIB = 2**30


def main() -> int:
    """Run once and write what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.sd14_size", description=__doc__)
    parser.add_argument("--resolution", type=int, default=64, help="in pixels (default: 64)")
    parser.add_argument("--steps", type=int, default=2, help="of training (default: 2)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--each", action="store_true", help="one step of each contribution")
    options = parser.parse_args()
    if options.each:
        return BOOK.run(tried)
    result = measure(options)
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if options.out:
        atomic.write_text(options.out, text)
    return 0


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Train, save, load into a fresh base, draw; return figures.

    Raises:
        ValueError: What was loaded is not what was saved.
    """
    import torch

    from src.dataset import make_dataset
    from src.generate import generate
    from src.lora import make_lora
    from src.train import train
    from tests.proofs.sd14_size.models import build_pipeline
    from toolkit.core.settings import DatasetConfig, GenerateConfig, LoraConfig, TrainConfig
    from toolkit.lora_files.adapters import load_adapter, save_adapter
    from toolkit.training_runs import memory

    torch.set_num_threads(options.threads)
    seconds: dict[str, float] = {}
    clock = partial(timed, seconds)
    size = options.resolution
    lora = LoraConfig(rank=8, train_text_encoder=True)
    config = TrainConfig(
        steps=options.steps,
        batch_size=1,
        learning_rate=1e-4,
        gradient_checkpointing=options.gradient_checkpointing,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lora.safetensors"
        with clock("build the base"):
            pipeline = build_pipeline(0)
        adapter = make_lora(pipeline=pipeline, config=lora)
        dataset = make_dataset(
            data_dir=paths.REFERENCE / "Dataset", resolution=size, config=DatasetConfig()
        )
        one = torch.utils.data.Subset(dataset, [0])
        estimate = memory.estimate(pipeline, adapter, config, size)
        meter = Meter(torch)
        with clock("encode and train"):
            result = train(
                pipeline=pipeline, dataset=one, adapter=adapter, config=config, reporter=meter
            )
        with clock("save"):
            save_adapter(adapter, file)
        trained = {name: layer.lora_B.detach().clone() for name, layer in layers(adapter)}
        modules, bytes_written = len(trained), file.stat().st_size
        del pipeline, adapter
        gc.collect()  # models hold each other in cycles, and there is memory for one pipeline

        with clock("build it again"):
            pipeline = build_pipeline(0)
        adapter = make_lora(pipeline=pipeline, config=lora)
        with clock("load"):
            load_adapter(adapter, file)
        for name, layer in layers(adapter):
            if not torch.allclose(layer.lora_B, trained[name], atol=1e-6, rtol=1e-2):
                raise ValueError(f"{name} was saved and came back as something else.")
        sampling = GenerateConfig(num_inference_steps=2, height=size, width=size)
        with clock("draw a picture"):
            pictures = generate(
                pipeline=pipeline, adapter=adapter, prompts=["a robot"], config=sampling
            )
    return {
        "resolution_px": size,
        "steps": options.steps,
        "gradient_checkpointing": options.gradient_checkpointing,
        "lora_modules": modules,
        "lora_file_bytes": bytes_written,
        "losses": list(result.losses),
        "picture": f"{pictures[0].width}x{pictures[0].height} {pictures[0].mode}",
        "seconds_wall": seconds,
        "seconds_cpu_per_step": round(meter.cpu_per_step(), 2),
        "memory_estimated_gib": round(estimate.needed / GIB, 2),
        "memory_measured_gib": round(meter.peak / GIB, 2),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": psutil.cpu_count(),
            "threads": options.threads,
            "load_average": [round(value, 1) for value in psutil.getloadavg()],
            "torch": str(torch.__version__),
        },
    }


def layers(adapter: Any) -> list[tuple[str, Any]]:
    """Return the LoRA's layers by name."""
    return [(name, layer) for name, layer in adapter.named_modules() if hasattr(layer, "lora_B")]


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Measure a block by name."""
    print(f"{name} ...", flush=True)
    started = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - started, 2)


class Meter:
    """A reporter that watches processor time, and resident memory at every point of a step."""

    def __init__(self, torch: Any) -> None:
        self.peak = 0
        self._ends: list[float] = []
        process = psutil.Process()

        def look(*_: object) -> None:
            self.peak = max(self.peak, process.memory_info().rss)

        # Around every module of the U-Net, forward: where activations pile up.
        self._handle = torch.nn.modules.module.register_module_forward_hook(look)
        self._look = look

    def step(self, step: int, loss: float) -> None:
        """Note a finished step."""
        self._look()
        self._ends.append(time.process_time())

    def cpu_per_step(self) -> float:
        """Return processor seconds of the last step, the first one counting caches and set-up."""
        self._handle.remove()
        return self._ends[-1] - self._ends[-2]


if __name__ == "__main__":
    raise SystemExit(main())
