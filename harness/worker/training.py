"""The train job: their dataset, adapter and training loop, with one seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from harness.protocol.base_model import load_pipeline
from harness.sandbox.events import EventWriter, StepReporter
from harness.sandbox.phase_clock import reading_phase, training_phase
from harness.worker.fresh_copy import fresh_copy, seed_everything
from harness.worker.hooks import Hooks, load_hooks
from harness.worker.jobs import Answer, TrainJob, picture_file
from harness.worker.returned import check_adapter, check_dataset, check_pictures, check_train_result
from harness.worker.save_adapter import Trained, keep
from toolkit.core import atomic
from toolkit.core.settings import GenerateConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# Shares of a job's time, for the progress bar.
LOADED, TRAINED, MEASURED = 0.15, 0.8, 0.9


def run_train_job(job: TrainJob, events: EventWriter) -> Answer:
    """Train with one seed and leave the change of the base, the adapter and pictures.

    An adapter that is no change of weights has nothing but its own pictures to be judged by: those
    are always drawn.
    """
    hooks = load_hooks(job.contribution, job.reference)
    base = load_pipeline(Path(job.base_model), job.device)
    trained = train_one(job, hooks, fresh_copy(base), events)
    events.phase(reading_phase(job.seed), TRAINED)
    outcome = keep(job, hooks, base, trained)
    if job.draws or outcome.unmergeable:
        events.phase(f"seed {job.seed}: drawing", MEASURED)
        config = job.generate_config()
        draw(hooks, trained.pipeline, trained.adapter, job.prompts, config, job.out)
    return Answer(trained=outcome)


def train_one(
    job: TrainJob, hooks: Hooks, pipeline: StableDiffusionPipeline, events: EventWriter
) -> Trained:
    """Call the three training hooks."""
    seed = job.seed
    events.phase(f"seed {seed}: preparing", LOADED)
    seed_everything(seed)
    dataset_config = job.dataset_config()
    dataset = hooks.call(
        "make_dataset", data_dir=job.data_dir, resolution=job.resolution, config=dataset_config
    )
    with hooks.blaming("make_dataset"):
        where = hooks.place("make_dataset")
        check_dataset(dataset, job.resolution, dataset_config.buckets, where)
    adapter = hooks.call("make_lora", pipeline=pipeline, config=job.lora_config())
    check_adapter(adapter, hooks.place("make_lora"))
    reporter = StepReporter(events, f"seed {seed}", job.steps, LOADED, TRAINED)
    events.phase(training_phase(seed), LOADED)  # the parent's clock runs from here
    result = hooks.call(
        "train",
        pipeline=pipeline,
        dataset=dataset,
        adapter=adapter,
        config=job.train_config(),
        reporter=reporter,
    )
    if torch.cuda.is_available():
        torch.cuda.synchronize()  # or the clock stops before the graphics card does
    losses = check_train_result(result, job.steps, hooks.place("train"))
    return Trained(pipeline, adapter, losses)


def draw(
    hooks: Hooks,
    pipeline: StableDiffusionPipeline,
    adapter: nn.Module,
    prompts: tuple[str, ...],
    config: GenerateConfig,
    out: Path,
) -> None:
    """Call ``generate`` and write its pictures as ``own-<n>.png``."""
    result: Any = hooks.call(
        "generate", pipeline=pipeline, adapter=adapter, prompts=list(prompts), config=config
    )
    where = hooks.place("generate")
    pictures = check_pictures(result, len(prompts), (config.width, config.height), where)
    for number, picture in enumerate(pictures):
        with atomic.replacing(picture_file(out, number)) as temporary:
            picture.save(temporary, "PNG")
