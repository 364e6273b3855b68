"""``contribution --all`` from end to end: real processes, a stop half-way, and going on."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness import paths
from harness.commands.cli import main
from harness.protocol.row_files import read_row
from tests.clone import copy_hub, small_clone

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")

BOARD = ("contribution", "--all", "--only", "Small,Raises", "--seeds", "0,", "--skip-gate")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A clone with a small budget and two contributions of its own."""
    root = small_clone(tmp_path_factory.mktemp("clone"))
    assert run(root, "new", "Small")[0] == 0
    fixture = paths.ROOT / "tests" / "fixtures" / "contributions" / "RaisesInTrain"
    folder = root / "CONTRIBUTIONS" / "Raises"
    shutil.copytree(fixture, folder)
    toml = folder / "contribution.toml"
    toml.write_text(toml.read_text().replace("RaisesInTrain", "Raises"))
    return root


def start(root, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        cwd=root,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(root, *arguments):
    process = start(root, *arguments)
    out, _ = process.communicate(timeout=600)
    return process.returncode, out


def processes_of(root: Path):
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(process.info["cmdline"] or ())
        if process.pid != os.getpid() and (str(root) in words or process.info["cwd"] == str(root)):
            found.append(process)
    return found


def row_of(root, name):
    (path,) = (root / "runs" / "robot" / name).glob("*/row.json")
    return read_row(path)


def test_a_board_is_stopped_and_goes_on_and_one_fault_stops_nobody(hub):
    # Stopped with Ctrl-C as soon as the reference is known and the others have begun.
    first = start(hub, *BOARD, "--jobs", "2")
    lines = []
    for line in first.stdout:
        lines.append(line)
        if line.startswith("Small on robot: started"):
            time.sleep(1.0)
            first.send_signal(signal.SIGINT)
    first.stdout.close()
    assert first.wait(300) == 130, "".join(lines)
    assert any(line.startswith("reference on robot: gain") for line in lines)
    assert "All files are complete" in "".join(lines)
    deadline = time.monotonic() + 300
    while processes_of(hub) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(hub) == []
    assert not list((hub / "runs").rglob("*.tmp"))

    # It goes on: what was finished answers at once, the fault is a row, the other is not stopped.
    code, out = run(hub, *BOARD, "--jobs", "2")
    assert code == 1
    assert "reference on robot: nothing has changed" in out
    assert "Small on robot: gain" in out
    assert "Raises on robot: failed: Raises's hook 'train' raised ZeroDivisionError" in out
    assert "1 of 3 runs are not good." in out
    assert "\x1b" not in out
    assert row_of(hub, "Raises").error.kind == "HookError"

    assert row_of(hub, "Small").costs.reference_seconds > 0

    # The plan knows what is done, and has learnt how long it took.
    code, out = run(hub, "plan", "--track", "robot", "--only", "Small,Raises", "--seeds", "0,")
    assert code == 0
    assert re.search(r"robot +Small +[0-9a-f]{12} done +\d+:\d\d", out)
    assert re.search(r"robot +Raises +[0-9a-f]{12} queued +unknown", out)


def test_a_reference_that_cannot_be_run_is_said_once_and_its_track_is_not_run(hub, tmp_path):
    broken = tmp_path / "hub"
    copy_hub(hub, broken)
    with (broken / "src" / "train.py").open("a") as file:
        file.write("\nraise RuntimeError('a fault in the reference')\n")
    code, out = run(broken, *BOARD)
    assert code == 1
    assert "reference on robot: failed" in out
    assert "a fault in the reference" in out
    assert (
        out.count("not run: The reference on robot ended with failed.") == 4
    )  # two runs, each as it ends and in the list at the end
    assert not list((broken / "runs/robot").glob("Small/*/train"))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--all", "Example1"], "--all does not go with a name"),
        (["--all", "--only-gate"], "--all does not go with --only-gate"),
        (["--all", "--record", "--skip-gate"], "cannot be recorded"),
        (["--all", "--only", "Nobody,Example1"], "There is no contribution named 'Nobody'"),
        (["--all", "--jobs", "0"], "invalid jobs value"),
        (["Example1", "--jobs", "2"], "--only and --jobs belong to --all"),
    ],
)
def test_a_wrong_call_is_answered_before_anything_runs(arguments, fault, capsys):
    try:
        code = main(["contribution", *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert fault in capsys.readouterr().err
