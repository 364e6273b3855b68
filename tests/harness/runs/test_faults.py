"""Faults of the machine, met by whole commands: a sentence, exit code 1, and nothing lost."""

import os
import shutil
import subprocess
import sys

import pytest

from harness import paths
from harness.contributions import registry
from harness.protocol.track import load_track
from harness.runs import pipeline
from tests.hostile.stage import Silent
from toolkit.core.errors import UsageError
from toolkit.core.locks import Busy, held


def with_mounts(script):
    """Run a shell script that may mount what nobody else sees; skip where that is not allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not here")
    script = f"mount -t tmpfs none /mnt || exit 99\n{script}"
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", script],
        capture_output=True,
        text=True,
        cwd=paths.ROOT,
        env=os.environ | {"PYTHON": sys.executable},
        check=False,
    )
    if done.returncode == 99 or "unshare:" in done.stderr:
        pytest.skip("no mounts for ordinary users here")
    return done


def table():
    return (paths.ROOT / "LEADERBOARD.md").read_bytes()


@pytest.mark.parametrize(
    ("mounts", "options", "words"),
    [
        (
            "mount --bind . /mnt && mount -o remount,ro,bind /mnt && cd /mnt",
            "",
            "Read-only file system",
        ),
        (
            "mount -t tmpfs -o size=64k none /mnt && export TMPDIR=/mnt",
            "--check --out /mnt/site",
            "No space left",
        ),
    ],
)
def test_a_command_that_cannot_write_says_so_and_loses_nothing(mounts, options, words):
    before = table()
    done = with_mounts(f'{mounts} || exit 99\n"$PYTHON" -m harness leaderboard {options}')
    assert done.returncode == 1
    assert words in done.stderr
    assert "nox -s clean" in done.stderr
    assert "Traceback" not in done.stderr
    assert table() == before


def test_two_runs_at_once_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    contribution, track = registry.load("Example1"), load_track("robot")
    options = pipeline.Options(seeds=(0,), skip_gate=True)
    attempt = pipeline.plan(contribution, track, options, (0,), Silent())
    with (
        held(attempt.folder),
        pytest.raises(UsageError, match=f"is being run right now, by process {os.getpid()}"),
    ):
        next(pipeline.run_locked(attempt, (), options))
    assert list(attempt.folder.iterdir()) == []


def test_who_waits_is_told_for_whom_and_nobody_else_is(tmp_path):
    told = []
    with held(tmp_path / "free", timeout_s=-1, when_busy=told.append):
        assert told == []
        with (
            pytest.raises(Busy, match=str(os.getpid())),
            held(tmp_path / "free", timeout_s=0.2, when_busy=told.append),
        ):
            raise AssertionError("two hold one lock")
    (owner,) = told
    assert f"process {os.getpid()}" in owner
