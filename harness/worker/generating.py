"""The generate job: a trained adapter, prompts, a contribution's ``generate`` hook."""

from __future__ import annotations

from harness.sandbox.events import EventWriter
from harness.worker.fresh_copy import seed_everything
from harness.worker.hooks import load_hooks
from harness.worker.jobs import Answer, DrawnWith, GenerateJob
from harness.worker.noting import noting, unread
from harness.worker.returned import check_adapter
from harness.worker.save_adapter import load_adapter
from harness.worker.training import draw
from toolkit.base_models.device import pick_device
from toolkit.base_models.identity import base_hash
from toolkit.base_models.load import load_pipeline
from toolkit.drawings.loras import add_loras
from toolkit.drawings.metadata import SCHEDULERS


def run_generate_job(job: GenerateJob, events: EventWriter) -> Answer:
    """Rebuild the adapter with ``make_lora``, load its trained weights, draw.

    Further LoRA files go into the base's weights first, so they work beside any adapter.

    Raises:
        DeltaError: The saved weights do not fit the adapter that ``make_lora`` builds now.
    """
    hooks = load_hooks(job.contribution, job.reference)
    pipeline = load_pipeline(job.base_model).to(pick_device(job.device))
    sha256 = base_hash(pipeline)
    add_loras(pipeline, job.loras)
    seed_everything(0)
    adapter = hooks.call("make_lora", pipeline=pipeline, config=job.lora)
    check_adapter(adapter, hooks.place("make_lora"))
    load_adapter(adapter, job.adapter)
    events.phase("drawing", 0.5)
    config, read = noting(job.config)
    draw(hooks, pipeline, adapter, job.prompts, config, job.out)
    notes = unread(job.typed, read, hooks.origins["generate"].file.name, "generate")
    own_sampler = type(pipeline.scheduler).__name__
    sampler = SCHEDULERS[job.config.scheduler] if job.config.scheduler else own_sampler
    drawn_with = DrawnWith(base_sha256=sha256, sampler=sampler)
    return Answer(drawn_with=drawn_with, notes=tuple(notes))
