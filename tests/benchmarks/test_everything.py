"""``nox -s bench``: one program after the other."""

import subprocess
import sys

from benchmarks import __main__ as everything
from harness import paths


def test_what_fails_is_listed_and_stops_nothing(monkeypatch, capsys):
    ran = []

    def run(name, *arguments):
        ran.append((name, *arguments))
        return name != "commands"

    monkeypatch.setattr(everything, "run", run)
    assert everything.main(["commands", "whole_process", "--kohya", "folder"]) == 1
    assert ran == [("commands",), ("whole_process", "--kohya", "folder")]
    assert "Failed: commands." in capsys.readouterr().err


def test_every_program_is_there_and_says_what_it_does():
    for name in everything.PROGRAMS:
        file = paths.ROOT / "benchmarks" / f"{name}.py"
        assert file.read_text("utf-8").startswith('"""'), name


def test_an_unknown_name_is_refused_before_anything_is_measured():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "trainingstep"],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no benchmark trainingstep" in done.stderr
