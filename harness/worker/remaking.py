"""The remake job: what training left, brought back from the saved adapter in a fresh process.

Nothing is trained here. The change of weights that comes out has to be the one that the training's
process proved against its live model; the scorer, which runs no contribution's code, compares them.
"""

from __future__ import annotations

from pathlib import Path

from harness.protocol.base_model import load_pipeline
from harness.sandbox.events import EventWriter
from harness.worker.fresh_copy import fresh_copy, seed_everything
from harness.worker.hooks import load_hooks
from harness.worker.jobs import DELTA_FILE, Answer, RemakeJob, seed_folder
from harness.worker.returned import check_adapter
from harness.worker.save_adapter import find_deltas, load_adapter
from harness.worker.training import draw
from toolkit.deltas.file import write_delta


def run_remake_job(job: RemakeJob, events: EventWriter) -> Answer:
    """Rebuild each seed's adapter with ``make_lora``, find its change of weights, draw.

    Raises:
        DeltaError: The saved weights do not fit the adapter that ``make_lora`` builds now, or it is
            no change of weights any more.
        HubError: A hook failed, or its result is wrong.
    """
    base = load_pipeline(Path(job.base_model), job.device)
    hooks = load_hooks(job.contribution, job.reference)
    for number, (seed, file) in enumerate(zip(job.seeds, job.adapters, strict=True)):
        done = (number + 1) / (len(job.seeds) + 1)
        events.phase(f"seed {seed}: from the saved adapter", done)
        pipeline, folder = fresh_copy(base), seed_folder(job.out, seed)
        folder.mkdir(parents=True, exist_ok=True)
        seed_everything(seed + 1)  # what is random in make_lora must be in the file
        adapter = hooks.call("make_lora", pipeline=pipeline, config=job.lora_config())
        check_adapter(adapter, hooks.place("make_lora"))
        load_adapter(adapter, file)
        if seed not in job.unmergeable:
            deltas = find_deltas(job, base, pipeline)
            write_delta(folder / DELTA_FILE, deltas, job.contribution.header)
        if seed in job.drawn:
            events.phase(f"seed {seed}: drawing", done)
            draw(hooks, pipeline, adapter, job.prompts, job.generate_config(), folder)
    return Answer()
