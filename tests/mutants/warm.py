"""Measure the reference before the forks, so that none of them has to."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from harness.contributions import registry
from harness.gate.experiments.measuring import keep
from harness.gate.job import GateJob
from harness.gate.worker import prepare
from harness.protocol.track import DEFAULT_TRACK, load_track
from tests.mutants.profiles import GROUP_OF


def warm_profiles(hooks: Iterable[str]) -> None:
    """Measure these hooks of the reference, with the settings that most contributions have."""
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
        context = prepare(job)
        for hook in hooks:
            module = importlib.import_module(f"harness.gate.experiments.{GROUP_OF[hook]}")
            group = GROUP_OF[hook].removeprefix("profile_")
            keep(group, context, module.measure(context, context.hooks))
