"""What the gate's worker is asked."""

from __future__ import annotations

import dataclasses

from harness.contributions import registry
from harness.protocol.base_model import EMBEDDED_BASE
from harness.protocol.track import load_track
from harness.runs.steps.gate_run import GateRun


def test_its_worker_may_read_the_base_it_builds_from_on_a_track_of_another_base(tmp_path):
    """A sandbox shows a worker what its job names and no more."""
    robot = load_track("robot")
    other = robot.file.model_copy(update={"base_model": "models/another"})
    reference = registry.load_reference()
    jobs = []
    GateRun(
        contribution=reference,
        reference=reference,
        track=dataclasses.replace(robot, file=other),
        folder=tmp_path,
        probes=(),
        limit_s=1.0,
        launch=lambda label, job, out: jobs.append(job),
    )
    (job,) = jobs
    assert job.base_model == str(EMBEDDED_BASE)
