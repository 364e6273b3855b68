"""The train job: their dataset, adapter and training loop, once per seed."""

from __future__ import annotations

import copy
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from harness import atomic
from harness.artefact.delta_file import PARTS, write_delta
from harness.artefact.effective import TOLERANCE, effective_delta
from harness.artefact.verify import merge_error, text_merge_error
from harness.base_model import load_pipeline, with_models
from harness.errors import ArtefactError, HookResultError
from harness.plugins import Hooks, load_hooks
from harness.records import GenerateConfig
from harness.worker.events import EventWriter, StepReporter
from harness.worker.jobs import (
    ADAPTER_FILE,
    DELTA_FILE,
    Answer,
    SeedOutcome,
    TrainJob,
    seed_folder,
)
from harness.worker.results import (
    check_adapter,
    check_dataset,
    check_pictures,
    check_train_result,
)

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# Shares of a job's time, for the progress bar: loading, then per seed training, measuring, drawing.
LOADED = 0.15
TRAINED, MEASURED = 0.8, 0.9


def run_train_job(job: TrainJob, events: EventWriter) -> Answer:
    """Train once per seed; the pictures are drawn with the first seed's adapter."""
    hooks = load_hooks(job.contribution, job.reference)
    base = load_pipeline(Path(job.base_model), job.device)
    outcomes = []
    pictures: tuple[str, ...] = ()
    span = (1 - LOADED) / len(job.seeds)
    for index, seed in enumerate(job.seeds):
        start = LOADED + index * span
        pipeline = fresh_copy(base)
        adapter, losses, seconds = train_one(job, hooks, pipeline, seed, events, (start, span))
        events.phase(f"seed {seed}: reading the weights", start + TRAINED * span)
        outcomes.append(keep(job, base, pipeline, adapter, seed, losses, seconds))
        if index == 0:
            events.phase(f"seed {seed}: drawing", start + MEASURED * span)
            pictures = draw(hooks, pipeline, adapter, job.prompts, job.generate_config(), job.out)
    return Answer(seeds=tuple(outcomes), pictures=pictures)


def fresh_copy(base: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """Return a pipeline whose models are copies, so that one seed cannot touch the next."""
    parts = {part: copy.deepcopy(getattr(base, part)) for part in (*PARTS, "vae")}
    return with_models(base, **parts)


def seed_everything(seed: int) -> None:
    """Seed the global generators a contribution might use, so that a run repeats exactly."""
    random.seed(seed)
    np.random.seed(seed)  # the legacy global generator is the one to be seeded
    torch.manual_seed(seed)


def train_one(
    job: TrainJob,
    hooks: Hooks,
    pipeline: StableDiffusionPipeline,
    seed: int,
    events: EventWriter,
    place: tuple[float, float],
) -> tuple[nn.Module, tuple[float, ...], float]:
    """Call the three training hooks for one seed; return adapter, losses and seconds."""
    start, span = place
    events.phase(f"seed {seed}: preparing", start)
    seed_everything(seed)
    dataset = hooks.call("make_dataset", data_dir=job.data_dir, resolution=job.resolution)
    check_dataset(dataset, job.resolution, hooks.origins["make_dataset"].path)
    adapter = hooks.call("make_lora", pipeline=pipeline, config=job.lora_config())
    check_adapter(adapter, hooks.origins["make_lora"].path)
    reporter = StepReporter(events, f"seed {seed}", job.steps, start, start + TRAINED * span)
    began = time.perf_counter()
    result = hooks.call(
        "train",
        pipeline=pipeline,
        dataset=dataset,
        adapter=adapter,
        config=job.train_config(seed),
        reporter=reporter,
    )
    seconds = time.perf_counter() - began
    losses = check_train_result(result, job.steps, hooks.origins["train"].path)
    return adapter, losses, seconds


def keep(
    job: TrainJob,
    base: StableDiffusionPipeline,
    pipeline: StableDiffusionPipeline,
    adapter: nn.Module,
    seed: int,
    losses: tuple[float, ...],
    seconds: float,
) -> SeedOutcome:
    """Write the adapter and the effective change of the base; check that they agree.

    Raises:
        ArtefactError: The change cannot be expressed as new weights of the base.
        HookResultError: Training changed the autoencoder, which belongs to everybody.
    """
    folder = seed_folder(job.out, seed)
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        getattr(pipeline, part).eval()
    if effective_delta(base.vae, pipeline.vae):
        raise HookResultError(
            "Training changed the autoencoder (VAE).",
            where=job.contribution.path,
            fix="Freeze pipeline.vae: pipeline.vae.requires_grad_(False).",
        )
    deltas = {part: effective_delta(getattr(base, part), getattr(pipeline, part)) for part in PARTS}
    if not all(bool(d.isfinite().all()) for delta in deltas.values() for d in delta.values()):
        raise HookResultError(
            "The trained weights hold NaN or infinity.",
            where=job.contribution.path,
            fix="Lower the learning rate, or look for a division by zero in the loss.",
        )
    error = measure_merge_error(base, pipeline, deltas)
    if error > TOLERANCE:
        raise ArtefactError(
            f"Base + change does not compute what the trained model computes: relative error "
            f"{error:.2e}, allowed {TOLERANCE:.0e}.",
            where=job.contribution.path,
            fix="Each adapted layer must stay an affine function of its input (y = W x + b).",
        )
    write_delta(folder / DELTA_FILE, deltas)
    with atomic.replacing(folder / ADAPTER_FILE) as temporary:
        state = {name: value.contiguous().cpu() for name, value in adapter.state_dict().items()}
        save_file(state, temporary, metadata={"format": "pt", "hub.name": job.contribution.name})
    return SeedOutcome(
        seed=seed,
        losses=losses,
        train_seconds=seconds,
        trainable_parameters=sum(p.numel() for p in adapter.parameters() if p.requires_grad),
        adapter_bytes=(folder / ADAPTER_FILE).stat().st_size,
        changed_modules=sum(len(delta) for delta in deltas.values()),
        merge_error=error,
    )


def measure_merge_error(
    base: StableDiffusionPipeline,
    pipeline: StableDiffusionPipeline,
    deltas: dict[str, dict[str, torch.Tensor]],
) -> float:
    """Return the larger relative error of the U-Net and, when it changed, the text encoder."""
    tokens = base.tokenizer.model_max_length
    error = merge_error(
        base.unet,
        pipeline.unet,
        deltas["unet"],
        sample_size=base.unet.config.sample_size,
        cross_attention_dim=base.unet.config.cross_attention_dim,
        tokens=tokens,
    )
    if deltas["text_encoder"]:
        found = text_merge_error(
            base.text_encoder, pipeline.text_encoder, deltas["text_encoder"], tokens
        )
        error = max(error, found)
    return error


def draw(
    hooks: Hooks,
    pipeline: StableDiffusionPipeline,
    adapter: nn.Module,
    prompts: tuple[str, ...],
    config: GenerateConfig,
    out: Path,
) -> tuple[str, ...]:
    """Call ``generate`` and write its pictures as ``own-<n>.png``; return the file names."""
    result: Any = hooks.call(
        "generate", pipeline=pipeline, adapter=adapter, prompts=list(prompts), config=config
    )
    where = hooks.origins["generate"].path
    pictures = check_pictures(result, len(prompts), (config.width, config.height), where)
    names = []
    for number, picture in enumerate(pictures):
        name = f"own-{number}.png"
        with atomic.replacing(out / name) as temporary:
            picture.save(temporary, "PNG")
        names.append(name)
    return tuple(names)
