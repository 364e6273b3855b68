"""What has to run after a push to main."""

from __future__ import annotations

import json
import subprocess

import pytest

from harness import paths
from harness.commands.cli import main
from tests.harness.board import synthetic_hub as made

TRACKS = paths.TRACKS
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@example.org")


def git(*arguments):
    done = subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=paths.ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def pushed(tmp_path):
    """A hub in git whose rows are all of today; yields the commit."""
    with made.hub_at(tmp_path / "hub"):
        made.add_track(TRACKS, "robot", "The robot")
        for name in ("One", "Two"):
            made.add_contribution(name)
        for name in ("reference", "One", "Two"):
            made.record(made.make_row("robot", name, 0.33))
        git("init", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "-m", "all is measured")
        yield git("rev-parse", "HEAD")


def changed(capsys, since):
    assert main(["ci", "changed", "--since", since]) == 0
    return json.loads(capsys.readouterr().out)


def test_nothing_runs_when_every_row_is_of_today(pushed, capsys):
    assert changed(capsys, pushed) == []


def test_what_the_push_changed_runs(pushed, capsys):
    file = paths.CONTRIBUTIONS / "Two" / "README.md"
    file.write_text(file.read_text(encoding="utf-8") + "\nMore.\n", encoding="utf-8")
    git("commit", "--quiet", "--all", "-m", "two")
    assert changed(capsys, pushed) == ["Two"]


def test_a_changed_track_makes_everybody_run_again(pushed, capsys):
    file = paths.TRACKS / "robot" / "track.toml"
    file.write_text(file.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    git("commit", "--quiet", "--all", "-m", "another protocol")
    assert changed(capsys, pushed) == ["One", "reference", "Two"]


def test_a_push_without_a_before_lists_what_has_no_row(pushed, capsys):
    (paths.RESULTS / "robot" / "One.json").unlink()
    assert changed(capsys, "0" * 40) == ["One"]
