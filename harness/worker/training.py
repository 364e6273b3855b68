"""The train job: their dataset, adapter and training loop, once per seed."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from harness.protocol.base_model import load_pipeline
from harness.sandbox.events import EventWriter, StepReporter
from harness.sandbox.meter import READY, wait_for_the_hub
from harness.worker.counting import Counter, counting, distance, prediction
from harness.worker.fresh_copy import fresh_copy, seed_everything
from harness.worker.hooks import Hooks, load_hooks
from harness.worker.jobs import Answer, TrainJob, picture_file, seed_folder
from harness.worker.returned import check_adapter, check_dataset, check_pictures, check_train_result
from harness.worker.save_adapter import Trained, keep
from toolkit.core import atomic
from toolkit.core.settings import GenerateConfig, HookName

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# Shares of a job's time, for the progress bar: loading, then per seed training, measuring, drawing.
LOADED = 0.15
TRAINED, MEASURED = 0.8, 0.9


def run_train_job(job: TrainJob, events: EventWriter) -> Answer:
    """Train once per seed; the pictures, if it is to draw, with the first seed's adapter.

    An adapter that is no change of weights has nothing but its own pictures to be judged by: those
    are drawn with every seed.

    In a scored run nothing of the contribution's is imported before the hub has read its books.
    """
    base = load_pipeline(Path(job.base_model), job.device)
    if not job.scored:
        return train_seeds(job, base, events, None)
    (_,) = job.seeds  # what is counted and metered is one seed's
    watcher = Watcher(Counter(), prediction(base))
    with counting(watcher.counter, base.unet):
        events.phase(READY, LOADED)
        wait_for_the_hub(job.out)
        return train_seeds(job, base, events, watcher)


@dataclass(frozen=True)
class Watcher:
    """What looks on in a scored run.

    Args:
        counter: Counts steps and pictures.
        clean: The base's prediction of a fixed input, (1, 4, h, w).
    """

    counter: Counter
    clean: Tensor


def train_seeds(
    job: TrainJob, base: StableDiffusionPipeline, events: EventWriter, watcher: Watcher | None
) -> Answer:
    """Import the contribution and train it, seed after seed."""
    hooks = load_hooks(job.contribution, job.reference)
    outcomes = []
    span = (1 - LOADED) / len(job.seeds)
    for index, seed in enumerate(job.seeds):
        start = LOADED + index * span
        trained = train_one(job, hooks, fresh_copy(base), seed, events, (start, span), watcher)
        events.phase(f"seed {seed}: reading the weights", start + TRAINED * span)
        outcomes.append(keep(job, hooks, base, trained, watcher.counter if watcher else None))
        if job.prompts and (index == 0 or outcomes[-1].unmergeable):
            events.phase(f"seed {seed}: drawing", start + MEASURED * span)
            config, folder = job.generate_config(), seed_folder(job.out, seed)
            draw(hooks, trained.pipeline, trained.adapter, job.prompts, config, folder)
    return Answer(seeds=tuple(outcomes))


def train_one(
    job: TrainJob,
    hooks: Hooks,
    pipeline: StableDiffusionPipeline,
    seed: int,
    events: EventWriter,
    place: tuple[float, float],
    watcher: Watcher | None = None,
) -> Trained:
    """Call the three training hooks for one seed.

    Args:
        job: What is asked.
        hooks: Whose.
        pipeline: A copy of the base.
        seed: Of everything random.
        events: To the parent.
        place: Where this seed begins in the whole job, and its share of it.
        watcher: Looks on in a scored job.
    """
    start, span = place
    timing = watcher.counter.timing if watcher else not_timed
    events.phase(f"seed {seed}: preparing", start)
    seed_everything(seed)
    dataset_config = job.dataset_config(seed)
    with timing("make_dataset"):
        dataset = hooks.call(
            "make_dataset", data_dir=job.data_dir, resolution=job.resolution, config=dataset_config
        )
    with hooks.blaming("make_dataset"):
        where = hooks.place("make_dataset")
        check_dataset(dataset, job.resolution, dataset_config.buckets, where)
    with timing("make_lora"):
        adapter = hooks.call("make_lora", pipeline=pipeline, config=job.lora_config())
    check_adapter(adapter, hooks.place("make_lora"))
    if watcher is not None:
        watcher.counter.attached = distance(watcher.clean, prediction(pipeline))
    reporter = StepReporter(events, f"seed {seed}", job.steps, start, start + TRAINED * span)
    events.phase(f"seed {seed}: training", start)
    with watcher.counter.in_training() if watcher else nullcontext(), timing("train"):
        result = hooks.call(
            "train",
            pipeline=pipeline,
            dataset=dataset,
            adapter=adapter,
            config=job.train_config(seed),
            reporter=reporter,
        )
    losses = check_train_result(result, job.steps, hooks.place("train"))
    return Trained(seed, pipeline, adapter, losses)


def not_timed(hook: HookName) -> nullcontext[None]:
    """Stand for a counter where nothing is counted."""
    return nullcontext()


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
