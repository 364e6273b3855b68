"""The page on what our own code is held against leaves nobody out."""

from __future__ import annotations

import pytest

from harness import paths
from harness.contributions.registry import contribution_names, load

PAGE = paths.ROOT / "docs" / "equality.md"


@pytest.mark.parametrize("name", [n for n in contribution_names() if load(n).file.hooks])
def test_whoever_has_code_is_in_a_table(name: str) -> None:
    first_cells = [
        line.split("|")[1] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")
    ]
    names = {part.strip() for cell in first_cells for part in cell.split(",")}
    assert name in names, f"{PAGE.name} does not say what {name} is held against"
