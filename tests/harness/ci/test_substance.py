"""The hint about contributions that hardly differ from another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness import paths
from harness.ci.substance import SAME_ENOUGH, nearest

EXAMPLE = paths.CONTRIBUTIONS / "Example1"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of Example1 under a name of its own."""
    folder = tmp_path / "Mine"
    shutil.copytree(EXAMPLE, folder)
    edit(folder / "contribution.toml", 'name = "Example1"', 'name = "Mine"')
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_copy_with_other_words_is_wholly_the_same(copied):
    (copied / "README.md").write_text("# Mine\n\nAll new.\n", encoding="utf-8")
    code = next((copied / "src").glob("*.py"))
    code.write_text(f"# My comment.\n{code.read_text(encoding='utf-8')}", encoding="utf-8")
    near = nearest(copied, [EXAMPLE])
    assert near is not None
    assert near.share == 1.0
    assert near.sentence() == "100 % the same as Example1: nothing that runs is different."


def test_a_changed_setting_is_named_and_nothing_else(copied):
    edit(copied / "contribution.toml", "rank = 4", "rank = 8")
    near = nearest(copied, [EXAMPLE])
    assert near is not None
    assert SAME_ENOUGH <= near.share < 1.0
    assert near.differs_in == ("lora.rank",)
    assert near.sentence().endswith(" % the same as Example1: differs in lora.rank only.")


def test_the_nearest_of_several_is_told_and_one_is_not_its_own_neighbour(copied):
    others = [paths.CONTRIBUTIONS / name for name in ("DoRA", "Example1", "MinSNR")]
    near = nearest(copied, [copied, *others])
    assert near is not None
    assert near.name == "Example1"
    assert nearest(copied, [copied]) is None


def test_another_method_is_no_copy():
    near = nearest(paths.CONTRIBUTIONS / "DoRA", [EXAMPLE])
    assert near is not None
    assert near.share < SAME_ENOUGH
    assert near.differs_in


def test_code_that_cannot_be_read_is_compared_as_text(copied):
    code = next((copied / "src").glob("*.py"))
    code.write_text("def (:\n", encoding="utf-8")
    near = nearest(copied, [EXAMPLE])
    assert near is not None
    assert any("(cannot be parsed)" in part for part in near.differs_in)
