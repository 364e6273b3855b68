"""``clean`` finds what was left over, and nothing that somebody still wants."""

import os

import pytest

from harness import paths
from harness.commands import cli
from harness.runs.folders import KEPT_RUNS, ROW_FILE
from toolkit.core.locks import held

GONE = 2**22 + 1  # above the largest process number that Linux gives


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name in ("RUNS", "RESULTS", "CONTRIBUTIONS"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


def files(root):
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_what_somebody_trained_and_the_site_are_never_touched(root):
    wanted = (
        "runs/trained/Mine/job-4194305/checkpoints/step-10/state.safetensors",
        "runs/trained/Mine/samples/10.png",
        "runs/site/data/rows/robot/Mine.json",
        "runs/generated/Mine/a-robot-0.png",
        f"runs/generated/Mine/job-{os.getpid()}/log.txt",
        f"runs/robot/Mine/0123456789ab/{ROW_FILE}",
    )
    for name in wanted:
        put(root / name)
    assert cli.main(["clean", "--yes"]) == 0
    assert files(root) == set(wanted)


def test_what_killed_commands_left_goes(root, capsys):
    left = (
        f"runs/generated/Mine/job-{GONE}/log.txt",
        "runs/robot/Mine/0123456789ab/train/log.txt",
        "runs/robot/Mine/row.json.damaged-1",
        "runs/robot/.row.json.abc.tmp",
        "results/robot/.Mine.json.abc.tmp",
        "contributions/Mine/.README.md.abc.tmp",
        ".README.md.abc.tmp",
    )
    for name in left:
        put(root / name)
    assert cli.main(["clean"]) == 0
    assert files(root) == set(left)
    assert "Nothing was removed" in capsys.readouterr().out
    assert cli.main(["clean", "--yes"]) == 0
    assert files(root) == set()


def test_the_newest_runs_stay(root):
    rows = [put(root / f"runs/robot/Mine/{n:012x}/{ROW_FILE}") for n in range(KEPT_RUNS + 2)]
    for age, row in enumerate(rows):
        os.utime(row.parent, (1e9 - age, 1e9 - age))
    assert cli.main(["clean", "--yes"]) == 0
    assert [row.exists() for row in rows] == [True] * KEPT_RUNS + [False] * 2


def test_what_a_command_is_using_stays(root, capsys):
    folder = root / "runs/robot/Mine/0123456789ab"
    put(folder / "train/.answer.json.abc.tmp")
    with held(folder):
        assert cli.main(["clean", "--yes"]) == 0
    assert capsys.readouterr().out.count("in use") == 2
    assert (folder / "train/.answer.json.abc.tmp").exists()
