"""A gate's worker as a fork of this process, with everything imported already.

For the matrix and the tests, where a hundred contributions would import torch a hundred times. Not
for strangers' code: there is no sandbox around a fork.
"""

from __future__ import annotations

from pathlib import Path

from harness.gate.job import GateJob
from harness.worker.jobs import Answer
from tests.harness.forked import ForkedChild


def fork(label: str, job: GateJob, out: Path) -> ForkedChild:
    """Start a fork; see ``GateRun.launch``."""
    limit_s = job.limit_s * len(job.experiments)
    read = Answer.model_validate_json
    return ForkedChild(label, "harness.gate.worker", job, out, limit_s, read)
