"""What ``contribution --record`` leaves on the board."""

from __future__ import annotations

from harness import paths
from harness.commands.contribution import record
from harness.protocol import row_files
from harness.runs.folders import SHEET_FILE
from harness.runs.pipeline import Run
from tests.harness.support import example_row


def test_a_run_that_drew_nothing_takes_the_pictures_of_an_earlier_one_away(runs, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / SHEET_FILE).write_bytes(b"pictures")
    record(Run(example_row(), folder, ()))
    sheet = paths.RESULTS / "robot" / "Foo.webp"
    assert sheet.read_bytes() == b"pictures"

    (folder / SHEET_FILE).unlink()
    error = {"kind": "HookError", "what": "It raised."}
    failed = example_row(status="failed", error=error, scores=(), verdict=None)
    record(Run(failed, folder, ()))
    assert not sheet.exists()
    assert row_files.read_row(sheet.with_suffix(".json")).status == "failed"
