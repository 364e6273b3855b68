"""The reference as a contribution that the gate has imported, for what is measured before forks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.contributions import registry
from harness.gate.experiments.context import Context
from harness.gate.job import GateJob
from harness.gate.worker import prepare
from harness.protocol.track import DEFAULT_TRACK, load_track


@contextmanager
def reference_context() -> Iterator[Context]:
    """Import the reference as the gate imports a contribution, for the time of a block."""
    reference = registry.load_reference()
    with tempfile.TemporaryDirectory() as folder:
        job = GateJob(
            contribution=reference,
            reference=reference,
            base_model="",
            data_dir=load_track(DEFAULT_TRACK).train_dir,
            experiments=(),
            probes=(),
            out=Path(folder),
        )
        yield prepare(job)
