"""The commands of docs/tutorial.md, run as they stand there, with fewer steps."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
FEWER = ("--steps", "3", "--sample-every", "2", "--num-inference-steps", "1", "--fresh")


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", TUTORIAL, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def module_of(session: str) -> list[str]:
    """What a session of noxfile.py runs."""
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    if re.search(rf"^{session} ", noxfile, flags=re.MULTILINE):  # in the table of commands
        return ["-m", "harness", session]
    module = re.search(rf'^    "{session}": \(\s*"([\w.]+)"', noxfile, flags=re.MULTILINE)
    assert module, f"there is no session {session} that only hands its words on"
    return ["-m", module[1]]


def test_every_command_of_the_tutorial_works(tmp_path):
    assert len(commands()) == 4
    for line in commands():
        words = [
            word.replace("runs/trained/reference", str(tmp_path)) for word in shlex.split(line)
        ]
        if words[:2] == ["python", "-m"]:
            arguments = [*words[1:], "--steps", "1", "--out", str(tmp_path / "drawn")]
        else:
            nox, flag, session, dashes, *rest = words
            assert (nox, flag, dashes) == ("nox", "-s", "--")
            more = [*FEWER, "--out", str(tmp_path)] if session == "train" else []
            arguments = [*module_of(session), *rest, *more]
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    with Image.open(tmp_path / "samples.png") as sheet:
        assert sheet.width > 2 * 128
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 1


def test_every_file_that_the_tutorial_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", TUTORIAL):
        assert (ROOT / "docs" / target).is_file(), target
    for command in commands():
        for option, value in re.findall(r"(--data|check) (\S+)", command):
            assert (ROOT / value).is_dir(), (option, value)
