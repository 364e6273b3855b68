"""``leaderboard`` and its ``--check``."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness import paths
from harness.board import blocks, site
from harness.board.collect import collect
from harness.board.history import read_history
from harness.commands.cli import main
from tests.harness.board.synthetic_hub import make_row, record
from toolkit.core.errors import UsageError
from toolkit.core.locks import held


def test_build_writes_the_tables_and_check_is_satisfied_until_something_changes(small, capsys):
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.36))
    out = ["--out", str(small / "site")]
    assert main(["leaderboard", "--check"]) == 1
    assert "nox -s leaderboard" in capsys.readouterr().err
    assert main(["leaderboard", *out]) == 0
    assert main(["leaderboard", "--check", *out]) == 0
    text = (small / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert "| 1 | One |" in text
    assert "Two" not in text  # a newcomer without a row changes no file that the hub writes
    assert "Two" in (small / "site" / "index.html").read_text(encoding="utf-8")
    readme = (small / "README.md").read_text(encoding="utf-8")
    block = readme[readme.index(blocks.BEGIN) : readme.index(blocks.END)]
    assert "| One |" in block
    assert "Two" not in block
    (small / "site" / "index.html").write_text("changed", encoding="utf-8")
    capsys.readouterr()
    assert main(["leaderboard", "--check", *out]) == 1
    assert "index.html" in capsys.readouterr().err
    record(make_row("robot", "Two", 0.30))
    assert main(["leaderboard", "--check"]) == 1
    assert (
        "LEADERBOARD.md, README.md, docs/findings.md, docs/images/findings_robot.svg"
        in capsys.readouterr().err
    )


def test_nothing_a_stranger_wrote_is_in_the_markdown(small):
    record(make_row("robot", "One", 0.36, summary="| <b>evil</b> |", authors=("@everyone",)))
    text = blocks.board_text(collect())
    assert "evil" not in text
    assert "@everyone" not in text


@pytest.mark.parametrize("text", ["", f"{blocks.BEGIN}", f"{blocks.END}{blocks.BEGIN}"])
def test_a_page_without_its_marks_is_an_error_with_a_remedy(small, text):
    page = small / "README.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="marks") as caught:
        blocks.with_block(page, f"{blocks.BEGIN}\nx\n{blocks.END}")
    assert caught.value.where == "README.md"


def test_the_board_is_built_without_torch():
    code = (
        "import sys; from harness.board.collect import collect;"
        "from harness.board import blocks, site; collect();"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, check=True)


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_history_of_a_row_is_what_git_remembers(small):
    git(small, "init", "--quiet")
    for gain in (0.34, 0.36):
        record(make_row("robot", "One", gain))
        git(small, "add", "leaderboard")
        git(small, "commit", "--quiet", "-m", "a row")
    (paths.RESULTS / "robot" / "One.json").write_text("damaged", encoding="utf-8")
    git(small, "commit", "--quiet", "--all", "-m", "a damaged row")
    events = read_history()["One"]
    assert [event.status for event in events] == ["ok", "ok"]
    assert [round(event.gain, 2) for event in events] == [0.36, 0.34]
    assert len(events[0].commit) >= 7


def test_a_shallow_clone_has_no_history_instead_of_a_wrong_one(
    small, tmp_path, monkeypatch, capsys
):
    git(small, "init", "--quiet")
    for gain in (0.34, 0.36):
        record(make_row("robot", "One", gain))
        git(small, "add", "leaderboard")
        git(small, "commit", "--quiet", "-m", "a row")
    assert len(read_history()["One"]) == 2
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", small.as_uri(), str(shallow))
    monkeypatch.setattr(paths, "ROOT", shallow)
    monkeypatch.setattr(paths, "RESULTS", shallow / "leaderboard" / "results")
    assert read_history() == {}
    assert "git fetch --unshallow" in capsys.readouterr().err


def test_a_hub_without_git_has_no_history(small):
    assert read_history() == {}


def test_drafts_of_killed_builds_go_and_nothing_else(small):
    record(make_row("robot", "reference", 0.33))
    draft, other = small / ".site-killed", small / ".site-other"
    (draft / "site").mkdir(parents=True)
    (draft / "old").mkdir()
    other.mkdir()
    (other / "notes.txt").write_text("mine", encoding="utf-8")
    assert main(["leaderboard", "--out", str(small / "site")]) == 0
    assert not draft.exists()
    assert (other / "notes.txt").is_file()


def test_two_builds_at_once_wait_for_each_other_and_name_the_other(small, monkeypatch):
    record(make_row("robot", "reference", 0.33))
    monkeypatch.setattr(site, "PATIENCE_S", 0.1)
    with held(paths.RUNS / "site"), pytest.raises(UsageError, match=f"process {os.getpid()}"):
        site.build(collect(), small / "site")
    assert site.build(collect(), small / "site") > 0
