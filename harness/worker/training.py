"""The train job: their dataset, adapter and training loop, once per seed."""

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
from harness.worker.jobs import (
    DELTA_FILE,
    Answer,
    TrainJob,
    again_folder,
    picture_file,
    seed_folder,
)
from harness.worker.returned import check_adapter, check_dataset, check_pictures, check_train_result
from harness.worker.save_adapter import Trained, find_deltas, keep
from toolkit.core import atomic
from toolkit.core.settings import GenerateConfig
from toolkit.deltas.file import write_delta

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# Shares of a job's time, for the progress bar: loading, then per seed training, measuring, drawing.
LOADED = 0.15
TRAINED, MEASURED = 0.8, 0.9


def run_train_job(job: TrainJob, events: EventWriter) -> Answer:
    """Train once per seed; the pictures are drawn with the first seed's adapter.

    An adapter that is no change of weights has nothing but its own pictures to be judged by: those
    are drawn with every seed.
    """
    hooks = load_hooks(job.contribution, job.reference)
    base = load_pipeline(Path(job.base_model), job.device)
    outcomes = []
    span = (1 - LOADED) / (len(job.seeds) + job.repeat_first)
    for index, seed in enumerate(job.seeds):
        start = LOADED + index * span
        trained = train_one(job, hooks, fresh_copy(base), seed, events, (start, span))
        events.phase(reading_phase(seed), start + TRAINED * span)
        outcomes.append(keep(job, hooks, base, trained))
        if index == 0 or outcomes[-1].unmergeable:
            events.phase(f"seed {seed}: drawing", start + MEASURED * span)
            config, folder = job.generate_config(), seed_folder(job.out, seed)
            draw(hooks, trained.pipeline, trained.adapter, job.prompts, config, folder)
    if job.repeat_first and not outcomes[0].unmergeable:
        train_again(job, hooks, base, events, (1 - span, span))
    return Answer(seeds=tuple(outcomes))


def train_again(
    job: TrainJob,
    hooks: Hooks,
    base: StableDiffusionPipeline,
    events: EventWriter,
    place: tuple[float, float],
) -> None:
    """Train the first seed a second time and leave its delta for the scorer to compare."""
    seed = job.seeds[0]
    trained = train_one(job, hooks, fresh_copy(base), seed, events, place)
    folder = again_folder(job.out, seed)
    folder.mkdir(parents=True, exist_ok=True)
    deltas = find_deltas(job, base, trained.pipeline)
    write_delta(folder / DELTA_FILE, deltas, job.contribution.header)


def train_one(
    job: TrainJob,
    hooks: Hooks,
    pipeline: StableDiffusionPipeline,
    seed: int,
    events: EventWriter,
    place: tuple[float, float],
) -> Trained:
    """Call the three training hooks for one seed."""
    start, span = place
    events.phase(f"seed {seed}: preparing", start)
    seed_everything(seed)
    dataset_config = job.dataset_config(seed)
    dataset = hooks.call(
        "make_dataset", data_dir=job.data_dir, resolution=job.resolution, config=dataset_config
    )
    with hooks.blaming("make_dataset"):
        where = hooks.place("make_dataset")
        check_dataset(dataset, job.resolution, dataset_config.buckets, where)
    adapter = hooks.call("make_lora", pipeline=pipeline, config=job.lora_config())
    check_adapter(adapter, hooks.place("make_lora"))
    reporter = StepReporter(events, f"seed {seed}", job.steps, start, start + TRAINED * span)
    events.phase(training_phase(seed), start)  # the parent's clock runs from here
    result = hooks.call(
        "train",
        pipeline=pipeline,
        dataset=dataset,
        adapter=adapter,
        config=job.train_config(seed),
        reporter=reporter,
    )
    if torch.cuda.is_available():
        torch.cuda.synchronize()  # or the clock stops before the graphics card does
    losses = check_train_result(result, job.steps, hooks.place("train"))
    return Trained(seed, pipeline, adapter, losses)


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
