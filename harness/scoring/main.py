"""The scorer process: clean base + each delta -> figures and pictures."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from harness import atomic
from harness.errors import ArtefactError, HubError
from harness.records import GenerateConfig
from harness.scoring.jobs import Entry, EntryScore, ScoreAnswer, ScoreJob
from harness.worker.events import EventWriter
from harness.worker.jobs import ANSWER_FILE, EVENTS_FILE
from harness.worker.main import report

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from torch import nn

    from harness.scoring.grid import Grid

BASE_LABEL = "base"


def main(job_file: Path) -> None:
    """Read the job, score, write ``answer.json`` beside it."""
    job = ScoreJob.model_validate_json(job_file.read_bytes())
    with EventWriter(job.out / EVENTS_FILE) as events:
        try:
            answer = score(job, events)
        except HubError as error:
            answer = ScoreAnswer(error=report(error))
        except Exception as error:
            traceback.print_exc()
            fault = HubError(f"The scorer failed: {type(error).__name__}: {error}")
            answer = ScoreAnswer(error=report(fault))
    atomic.write_text(job.out / ANSWER_FILE, answer.model_dump_json())


def score(job: ScoreJob, events: EventWriter) -> ScoreAnswer:
    """Measure the base, then every entry; an entry at fault does not stop the others."""
    events.phase("loading torch", 0.01)
    import torch

    from harness.base_model import load_pipeline
    from harness.scoring.grid import build_grid, heldout_loss
    from harness.scoring.pictures import read_folder

    torch.set_num_threads(job.threads)
    torch.backends.cudnn.allow_tf32 = False
    pipeline = load_pipeline(Path(job.base_model), job.device)
    pixel_values, captions = read_folder(job.heldout_dir, job.resolution)
    grid = build_grid(pipeline, pixel_values, captions, job.grid)
    events.phase("measuring the base", 0.4)
    base = heldout_loss(pipeline, pipeline.unet, pipeline.text_encoder, grid)
    pictures = {BASE_LABEL: draw(pipeline, job, 0)}
    scores = []
    for number, entry in enumerate(job.entries):
        share = 0.5 + 0.5 * number / len(job.entries)
        events.phase(f"measuring {entry.label}, seed {entry.seed}", share)
        first = all(entry.label != earlier.label for earlier in job.entries[:number])
        try:
            result, drawn = score_entry(pipeline, job, entry, grid, number + 1 if first else None)
        except ArtefactError as error:
            scores.append(EntryScore(label=entry.label, seed=entry.seed, error=report(error)))
            continue
        scores.append(result)
        pictures |= drawn
    return ScoreAnswer(base=base, entries=tuple(scores), pictures=pictures)


def score_entry(
    pipeline: StableDiffusionPipeline, job: ScoreJob, entry: Entry, grid: Grid, slot: int | None
) -> tuple[EntryScore, dict[str, tuple[str, ...]]]:
    """Add one delta to the clean base, measure, and draw the track's prompts unless slot is None.

    Raises:
        ArtefactError: The delta does not fit the base.
    """
    from harness.artefact.delta_file import PARTS, read_delta
    from harness.artefact.effective import add_delta
    from harness.base_model import with_models
    from harness.scoring.grid import heldout_loss

    clean: dict[str, nn.Module] = {part: getattr(pipeline, part) for part in PARTS}
    delta = read_delta(entry.delta, clean)
    merged = {part: add_delta(clean[part], delta[part]) for part in PARTS}
    loss = heldout_loss(pipeline, merged["unet"], merged["text_encoder"], grid)
    drawn = {}
    if slot is not None:
        drawn[entry.label] = draw(with_models(pipeline, **merged), job, slot)
    return EntryScore(label=entry.label, seed=entry.seed, loss=loss), drawn


def draw(pipeline: StableDiffusionPipeline, job: ScoreJob, slot: int) -> tuple[str, ...]:
    """Draw the prompts with the trusted sampler; picture i starts from seed + i for everybody."""
    import torch

    config: GenerateConfig = job.sampling
    generators = [
        torch.Generator().manual_seed(config.seed + number) for number in range(len(job.prompts))
    ]
    images = pipeline(
        list(job.prompts),
        negative_prompt=[config.negative_prompt] * len(job.prompts),
        num_inference_steps=config.num_inference_steps,
        guidance_scale=config.guidance_scale,
        height=config.height,
        width=config.width,
        generator=generators,
    ).images
    names = []
    for number, image in enumerate(images):
        name = f"{slot}-{number}.png"
        with atomic.replacing(job.out / name) as temporary:
            image.save(temporary, "PNG")
        names.append(name)
    return tuple(names)
