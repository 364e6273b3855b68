"""The hint about contributions that hardly differ from another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness import paths
from harness.commands.ci.substance import SAME_ENOUGH, nearest

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


@pytest.mark.parametrize(
    "text",
    ["def (:\n", f"x = {' + '.join(['1'] * 1000)}\n", f"x = {'(' * 500}1\n", "x = '\0'\n"],
    ids=["wrong", "a sum too long to be written out again", "brackets", "a null byte"],
)
def test_code_that_cannot_be_read_is_compared_as_text(copied, text):
    code = next((copied / "src").glob("*.py"))
    code.write_text(text, encoding="utf-8")
    near = nearest(copied, [EXAMPLE])
    assert near is not None
    assert any("(cannot be parsed)" in part for part in near.differs_in)


# --- settings alone ---


def without_code(folder: Path, settings: str) -> Path:
    folder.mkdir()
    head = f'name = "{folder.name}"\nauthors = ["me"]\nsummary = "An idea of mine."\n'
    (folder / "contribution.toml").write_text(head + settings, encoding="utf-8")
    return folder


def test_a_copy_of_settings_is_told_although_its_few_lines_are_never_ninety_percent(tmp_path):
    rank16 = paths.CONTRIBUTIONS / "Rank16"
    shutil.copytree(rank16, tmp_path / "Mine")
    near = nearest(tmp_path / "Mine", [rank16], paths.REFERENCE)
    assert near is not None
    assert near.is_close
    assert near.sentence() == "100 % the same as Rank16: nothing that runs is different."
    edit(tmp_path / "Mine" / "contribution.toml", "rank = 16", "rank = 17")
    near = nearest(tmp_path / "Mine", [rank16], paths.REFERENCE)
    assert near is not None
    assert near.is_close
    assert near.sentence().endswith(" % the same as Rank16: differs in lora.rank only.")
    edit(tmp_path / "Mine" / "contribution.toml", "0.0003", "0.0005")
    near = nearest(tmp_path / "Mine", [rank16], paths.REFERENCE)
    assert near is not None
    assert not near.is_close


def test_settings_that_are_the_defaults_are_the_reference(tmp_path):
    mine = without_code(tmp_path / "Mine", "[settings.lora]\nrank = 4\n")
    near = nearest(mine, [paths.CONTRIBUTIONS / "Rank16"], paths.REFERENCE)
    assert near is not None
    assert near.is_close
    assert near.sentence() == "100 % the same as reference: nothing that runs is different."


def test_another_method_of_a_library_is_one_line_and_no_copy(tmp_path):
    one = without_code(tmp_path / "One", '[settings.lora]\nmethod = "hra"\n')
    two = without_code(tmp_path / "Two", '[settings.lora]\nmethod = "boft"\n')
    near = nearest(one, [two], paths.REFERENCE)
    assert near is not None
    assert near.differs_in == ("lora.method",)
    assert not near.is_close


def test_a_module_of_the_reference_under_another_name_of_its_author_is_told(tmp_path):
    mine = without_code(tmp_path / "Mine", 'hooks = ["make_lora"]\n')
    (mine / "src").mkdir()
    shutil.copy(paths.REFERENCE / "lora.py", mine / "src" / "lora.py")
    near = nearest(mine, [EXAMPLE], paths.REFERENCE)
    assert near is not None
    assert near.is_close
    assert (near.name, near.differs_in) == ("reference", ())
