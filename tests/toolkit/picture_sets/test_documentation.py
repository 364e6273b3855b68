"""docs/datasets.md tells the truth about kinds, settings and layouts."""

from __future__ import annotations

import re
import tomllib
from typing import get_args

from harness import paths
from toolkit.core.settings import DatasetSettings
from toolkit.images.decode import EXTENSIONS
from toolkit.picture_sets.folder import Layout
from toolkit.picture_sets.problems import KINDS

PAGE = (paths.ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")


def test_every_kind_of_problem_has_a_row():
    table = PAGE[PAGE.index("## What the check finds") :]
    told = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`[^|]*) \|", table, re.M))))
    assert set(KINDS) == told


def test_the_settings_are_those_of_the_record_with_their_defaults():
    block = re.search(r"```toml\n(.*?)```", PAGE, re.S)
    assert tomllib.loads(block[1])["settings"]["dataset"] == DatasetSettings().model_dump()


def test_every_layout_and_extension_is_named():
    assert all(f"| `{layout}` |" in PAGE for layout in get_args(Layout))
    assert f"`{' '.join(EXTENSIONS)}`" in PAGE
