"""A fault in the hub's own process becomes a failed row that says whose fault it is."""

from __future__ import annotations

import errno

import pytest

from harness import paths
from harness.contributions import registry
from harness.protocol.row_files import read_row
from harness.protocol.track import load_track
from harness.runs import pipeline
from harness.runs.folders import PAGE_FILE, ROW_FILE
from harness.runs.steps.unforeseen import last_lines, whose_fault
from tests.hostile.stage import Silent
from toolkit.core.errors import DeltaError


def run(tmp_path, monkeypatch, place, fault):
    """Run a contribution whose step raises; nothing is trained."""
    monkeypatch.setattr(paths, "RUNS", tmp_path)

    def broken(*_args, **_options):
        raise fault

    monkeypatch.setattr(pipeline, place, broken)
    options = pipeline.Options(seeds=(0,), skip_gate=True)
    return pipeline.run_contribution(
        registry.load("MinSNR"), load_track("robot"), options, Silent()
    )


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "EnvironmentFault", "machine refused"),
        (MemoryError(), "EnvironmentFault", "too little memory"),
        (KeyError("\x1b[2Jgain"), "HubError", "The hub failed: KeyError"),
        (DeltaError("The delta does not fit."), "DeltaError", "does not fit"),
    ],
)
def test_an_exception_becomes_a_failed_row_with_a_page(tmp_path, monkeypatch, fault, kind, words):
    finished = run(tmp_path, monkeypatch, "measure", fault)
    row = read_row(finished.folder / ROW_FILE)
    assert (row.status, row.error.kind) == ("failed", kind)
    assert words in row.error.what
    assert "\x1b" not in row.error.what + "".join(row.error.log_tail)
    assert (finished.folder / PAGE_FILE).is_file()


def test_the_hubs_own_fault_names_its_line_and_not_the_contribution(tmp_path, monkeypatch):
    row = run(tmp_path, monkeypatch, "measure", KeyError("gain")).row
    assert row.error.where.startswith("tests/harness/runs/test_unforeseen.py:")
    assert "no fault of the contribution" in row.error.fix
    assert any("KeyError" in line for line in row.error.log_tail)


def test_a_page_that_cannot_be_made_leaves_no_row_without_one(tmp_path, monkeypatch):
    write, calls = pipeline.write_page, []

    def once(*args, **options):
        calls.append(args)
        if len(calls) == 1:
            raise ValueError("a picture that cannot be drawn")
        write(*args, **options)

    monkeypatch.setattr(pipeline, "write_page", once)
    finished = run(tmp_path, monkeypatch, "measure", DeltaError("It does not fit."))
    assert read_row(finished.folder / ROW_FILE).error.what.startswith("The hub failed: ValueError")
    assert (finished.folder / PAGE_FILE).is_file()


def test_a_fault_that_explains_itself_needs_no_traceback():
    error = DeltaError("It does not fit.")
    assert whose_fault(error) is error
    assert last_lines(error) == ()
