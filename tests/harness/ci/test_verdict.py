"""Several jobs, one answer."""

import pytest

from harness.cli import main


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
