"""The generate job: a trained adapter, somebody's prompts, their ``generate`` hook."""

from __future__ import annotations

from pathlib import Path

from harness.base_model import load_pipeline
from harness.plugins import load_hooks
from harness.worker.copies import seed_everything
from harness.worker.events import EventWriter
from harness.worker.jobs import Answer, GenerateJob
from harness.worker.keeping import load_adapter
from harness.worker.results import check_adapter
from harness.worker.training import draw


def run_generate_job(job: GenerateJob, events: EventWriter) -> Answer:
    """Rebuild the adapter with ``make_lora``, load its trained weights, draw.

    Raises:
        ArtefactError: The saved weights do not fit the adapter that ``make_lora`` builds now.
    """
    hooks = load_hooks(job.contribution, job.reference)
    pipeline = load_pipeline(Path(job.base_model), job.device)
    seed_everything(0)
    adapter = hooks.call("make_lora", pipeline=pipeline, config=job.lora_config())
    check_adapter(adapter, hooks.place("make_lora"))
    load_adapter(adapter, job.adapter)
    events.phase("drawing", 0.5)
    draw(hooks, pipeline, adapter, job.prompts, job.config, job.out)
    return Answer()
