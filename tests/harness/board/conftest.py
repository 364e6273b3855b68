"""A hub of made-up contributions, and one of two with the troubles a test wants."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.board.collect import collect
from harness.board.site import build
from tests.harness.board import synthetic_hub


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of 30 contributions on two tracks, some in trouble; a third has no rows."""
    root = tmp_path_factory.mktemp("hub") / "hub"
    with synthetic_hub.hub_at(root):
        synthetic_hub.fill(REAL_TRACKS, 30, tracks=2)
        synthetic_hub.add_track(REAL_TRACKS, "fresh", "A track without rows")
        build(collect(), root / "site")
    return root / "site"


REAL_TRACKS = paths.TRACKS


@pytest.fixture
def small(tmp_path: Path):
    """An almost empty hub with one track, `robot`, and the contributions One and Two."""
    with synthetic_hub.hub_at(tmp_path / "hub") as root:
        synthetic_hub.add_track(REAL_TRACKS, "robot", "The robot")
        for name in ("One", "Two"):
            synthetic_hub.add_contribution(name, f"The idea that is called {name}.")
        yield root
