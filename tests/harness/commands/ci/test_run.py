"""The second job: the base's hub runs the branch's folder, in a work tree of its own."""

from __future__ import annotations

import ast
import os
import subprocess

import pytest

from harness import paths
from harness.commands.ci.accept import NOT_RUN
from harness.commands.ci.branch_run import run_from_commit
from tests.harness.commands.ci.conftest import IDENTITY, Hub
from toolkit.core.errors import UsageError

HOSTILE = 'print("::error::I steer the job")\nraise RuntimeError("on purpose")\n'


@pytest.fixture
def clone(tmp_path):
    """A clone of this very repository, as it is committed."""
    if not (paths.ROOT / ".git").exists():
        pytest.skip("this copy of the hub is not a git repository, so it cannot be cloned")
    folder = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", "--shared", "--no-checkout", str(paths.ROOT), str(folder)],
        check=True,
        env={**os.environ, **IDENTITY},
    )
    return Hub(folder)


def branch_that_fails(clone):
    """Example1 whose make_lora prints a workflow command and raises; its harness is broken."""
    base = clone.git("rev-parse", "HEAD")
    clone.git("read-tree", base)
    source = clone.read(
        next(
            blob.blob
            for blob in clone.files(base, "CONTRIBUTIONS/Example1")
            if blob.path.endswith("src/lora.py")
        )
    ).decode()
    tree = ast.parse(source)
    hook = next(node for node in tree.body if getattr(node, "name", "") == "make_lora")
    hook.body = ast.parse(HOSTILE).body
    broken = ast.unparse(tree)
    for path, text in (
        ("CONTRIBUTIONS/Example1/src/lora.py", broken),
        ("harness/__init__.py", "raise SystemExit('the branch changed the harness')\n"),
    ):
        blob = clone.git("hash-object", "-w", "--stdin", given=text.encode())
        clone.git("update-index", "--cacheinfo", f"100644,{blob},{path}")
    tree = clone.git("write-tree")
    return base, clone.git("commit-tree", tree, "-p", base, "-m", "hostile")


def test_a_branch_s_folder_runs_with_the_base_s_hub_and_leaves_a_row(clone, tmp_path, capfd):
    base, head = branch_that_fails(clone)
    rows = run_from_commit(
        clone, base, head, "Example1", ["robot"], ["--seeds", "1"], tmp_path / "out"
    )
    assert [row.status for row in rows] == ["failed"]
    assert "on purpose" in rows[0].model_dump_json()
    assert (tmp_path / "out/robot/Example1/page.html").is_file()
    # The harness of the branch would have ended everything; the base's ran.
    lines = capfd.readouterr().out.splitlines()
    stop = next(line for line in lines if line.startswith("::stop-commands::"))
    token = stop.removeprefix("::stop-commands::")
    assert len(token) > 32
    assert lines[-1] == f"::{token}::"
    loose = [i for i, line in enumerate(lines) if line.startswith("::error::")]
    assert all(lines.index(stop) < i < len(lines) - 1 for i in loose)
    # Nothing is left behind.
    assert clone.git("worktree", "list").count("\n") == 0
    assert not list((paths.RUNS / "ci").glob("hub-*"))


def test_a_run_for_the_board_hands_over_the_row_that_the_board_would_keep(clone, tmp_path):
    base, head = branch_that_fails(clone)
    assert clone.files(base, "leaderboard/results/robot")  # a good row, with pictures
    (row,) = run_from_commit(
        clone, base, head, "Example1", ["robot"], [], tmp_path / "out", recorded=True
    )
    assert row.status == "failed"
    assert row.machine.sandbox == NOT_RUN  # `accept` knows this word
    files = {path.name for path in (tmp_path / "out/robot/Example1").iterdir()}
    assert files == {"row.json", "page.html", "gate.json"}  # and no pictures of the earlier row


@pytest.mark.parametrize("name", ["../up", "--help", "a b", "$(id)"])
def test_a_name_that_is_none_never_reaches_a_command(hub, tmp_path, name):
    with pytest.raises(UsageError, match="cannot be the name"):
        run_from_commit(hub, "main", "main", name, ["robot"], [], tmp_path)


def test_a_folder_that_is_not_in_the_commit_is_said(hub, tmp_path):
    with pytest.raises(UsageError, match="no CONTRIBUTIONS/Nobody"):
        run_from_commit(hub, "main", "main", "Nobody", ["robot"], [], tmp_path)
