"""Fixtures of the harness tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths


@pytest.fixture(scope="session")
def random_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of SD 1.4's layout, small enough to load in a second."""
    from tests.src.support import build_pipeline

    folder = tmp_path_factory.mktemp("base")
    build_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let runs and results of a test lie in its own folder."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    return tmp_path / "runs"
