"""The layers that pyproject.toml gives the house hold, and an import that runs up is found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.paths import ROOT

HOUSES = ("harness", "toolkit", "src", "recipes", "benchmarks")
LINT = "from importlinter.cli import lint_imports_command as run; run()"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LINT, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the Python of the hub."""
    folder = tmp_path_factory.mktemp("hub")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for house in HOUSES:
        for path in (ROOT / house).rglob("*.py"):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return folder


def test_the_house_keeps_its_layers():
    found = lint(ROOT)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("file", "line", "named"),
    [
        ("toolkit/core/text.py", "import harness.paths", "toolkit.core.text -> harness.paths"),
        ("harness/protocol/pair.py", "from harness.runs import key", "harness.runs.key"),
        ("harness/scoring/grid.py", "import harness.worker.hooks", "harness.worker.hooks"),
        ("harness/check/limits.py", "import torch", "harness.check.limits -> torch"),
        ("harness/runs/page.py", "def late():\n    import harness.runs.pipeline", "runs.pipeline"),
    ],
)
def test_an_import_that_runs_up_is_named(copy: Path, file: str, line: str, named: str):
    path = copy / file
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{before}\n{line}\n", encoding="utf-8")
        found = lint(copy)
    finally:
        path.write_text(before, encoding="utf-8")
    assert found.returncode == 1
    assert named in found.stdout


def test_a_new_room_has_to_be_given_a_layer(copy: Path):
    room = copy / "harness" / "attic"
    room.mkdir()
    (room / "__init__.py").touch()
    try:
        found = lint(copy)
    finally:
        shutil.rmtree(room)
    assert found.returncode == 1
    assert "attic" in found.stdout
