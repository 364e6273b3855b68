"""The board's commit, pushed to a real server from a clone of this very repository."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import paths
from harness.commands.ci import push
from tests.harness.commands.ci.conftest import Hub
from toolkit.core.errors import EnvironmentFault

ROW = "leaderboard/results/robot/Example1.json"
SHEET = "leaderboard/results/robot/Example1.webp"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with this repository's commit as main, and a clone to work in."""
    if not (paths.ROOT / ".git").exists():
        pytest.skip("this copy of the hub is not a git repository, so it cannot be cloned")
    folder = tmp_path_factory.mktemp("server")
    bare = folder / "owner" / "name.git"
    bare.parent.mkdir()
    Hub(paths.ROOT).git("clone", "--quiet", "--bare", "--shared", str(paths.ROOT), str(bare))
    Hub(bare).git("update-ref", "refs/heads/main", Hub(paths.ROOT).git("rev-parse", "HEAD"))
    return folder


def clone(server, folder):
    bare = server / "owner" / "name.git"
    Hub(paths.ROOT).git("clone", "--quiet", "--branch", "main", str(bare), str(folder))
    return Hub(folder)


def check(folder):
    command = [sys.executable, "-m", "harness", "leaderboard", "--check"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_rows_reach_a_main_that_has_moved_and_a_fresh_clone_says_what_they_say(
    server, tmp_path, monkeypatch
):
    mine, theirs = clone(server, tmp_path / "mine"), clone(server, tmp_path / "theirs")
    # A run that left no pictures, and somebody's merge while it ran.
    (mine.folder / ROW).unlink()
    (mine.folder / SHEET).unlink()
    (mine.folder / "left-alone.txt").write_text("x", encoding="utf-8")
    (theirs.folder / "docs" / "merged.md").write_text("# Merged\n", encoding="utf-8")
    theirs.git("add", "--all")
    theirs.git("commit", "--quiet", "-m", "merged meanwhile")
    theirs.git("push", "--quiet", "origin", "main")

    monkeypatch.setenv("GITHUB_SERVER_URL", server.as_uri())
    with monkeypatch.context() as patch:
        patch.setattr(paths, "ROOT", mine.folder)
        assert push.push("token", "owner/name") is True
        assert push.push("token", "owner/name") is False  # nothing new

    fresh = clone(server, tmp_path / "fresh")
    assert (fresh.folder / "docs" / "merged.md").is_file()
    assert not (fresh.folder / ROW).exists()
    assert not (fresh.folder / SHEET).exists()
    assert not (fresh.folder / "left-alone.txt").exists()
    changed = fresh.git("diff", "--name-only", "main~1", "main").split()
    assert {ROW, SHEET, "LEADERBOARD.md", "docs/findings.md"} <= set(changed)
    done = check(fresh.folder)
    assert done.returncode == 0, done.stderr
    # And the check finds what is not so.
    page = fresh.folder / "docs" / "findings.md"
    page.write_text(page.read_text("utf-8").replace("| DoRA |", "| Dora |"), encoding="utf-8")
    done = check(fresh.folder)
    assert done.returncode == 1
    assert "docs/findings.md" in done.stderr


def test_a_push_that_is_refused_for_good_is_said(server, tmp_path, monkeypatch):
    mine = clone(server, tmp_path / "mine")
    (mine.folder / SHEET).unlink(missing_ok=True)
    (mine.folder / ROW).unlink(missing_ok=True)
    monkeypatch.setattr(paths, "ROOT", mine.folder)
    monkeypatch.setenv("GITHUB_SERVER_URL", (tmp_path / "nowhere").as_uri())
    monkeypatch.setattr(push, "rewrite", lambda: None)
    (mine.folder / "registry.toml").write_text("# other\n", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="push was refused"):
        push.push("token", "owner/name")


@pytest.mark.parametrize(("token", "name"), [("", "a/b"), ("t", ""), ("t", "a/b/../c"), ("t", "x")])
def test_a_push_without_its_address_is_refused(token, name):
    with pytest.raises(EnvironmentFault):
        push.push(token, name)
