"""Several jobs, one answer."""

import pytest

from harness.commands.ci.command import exit_code
from harness.commands.cli import main
from tests.harness.support import example_row


@pytest.mark.parametrize(
    ("results", "code"),
    [
        (["success", "success"], 0),
        (["success skipped"], 0),  # nothing had to run
        (["success failure"], 1),
        (["success", "cancelled"], 1),
        (["success success success failure"], 1),  # a row was refused
        ([" "], 1),
    ],
)
def test_all_jobs_have_to_be_fine(results, code):
    assert main(["ci", "verdict", *results]) == code


def row_with(status):
    if status == "ok":
        return example_row()
    changes = {"error": {"kind": "DeltaError", "what": "no change of weights"}}
    if status == "unmergeable":
        pictures = example_row().scores[0].own.pictures.model_dump()
        changes["own_pictures"] = [
            {"seed": 0, "own": pictures, "reference": pictures, "train_seconds": 1.0}
        ]
    return example_row(status=status, scores=(), verdict=None, **changes)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [(["ok"], 0), (["unmergeable"], 0), (["ok", "unmergeable"], 0), (["ok", "failed"], 1)],
)
def test_a_run_that_can_only_be_judged_by_its_pictures_is_no_failure(statuses, code):
    assert exit_code([row_with(status) for status in statuses]) == code
