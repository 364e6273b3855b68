"""Each `make_dataset` of its own: the same pictures as the reference's, and what it adds."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness import paths
from src.dataset import make_dataset as reference
from toolkit.core.settings import DatasetConfig

FOLDER = paths.CONTRIBUTIONS / "TagShuffle" / "Dataset"


def module(name: str) -> Any:
    return importlib.import_module(f"CONTRIBUTIONS.{name}.src.dataset")


def test_every_item_of_the_first_round_is_the_references() -> None:
    theirs = reference(FOLDER, 64, DatasetConfig())
    shuffled = module("TagShuffle").make_dataset(FOLDER, 64, DatasetConfig(repeats=3))
    masked = module("MaskedLoss").make_dataset(FOLDER, 64)
    count = len(theirs)  # type: ignore[arg-type]
    assert (len(shuffled), len(masked)) == (3 * count, count)
    for index in range(count):
        for own in (shuffled, masked):
            torch.testing.assert_close(own[index][0], theirs[index][0], atol=0.02, rtol=0)
            assert own[index][1] == theirs[index][1]
        assert torch.equal(shuffled[index + 2 * count][0], shuffled[index][0])


@given(
    st.lists(st.text("abc ", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=6),
    st.integers(1, 5),
)
def test_versions_hold_the_subject_and_nothing_new(parts: list[str], count: int) -> None:
    versions_of = module("TagShuffle").versions_of
    caption = ", ".join(parts)
    versions = versions_of(caption, "a.png", count)
    assert versions == versions_of(caption, "a.png", count)
    assert versions[0] == caption
    assert len(versions) == count
    for version in versions:
        shown = version.split(", ")
        assert parts[0] in shown
        assert all(shown.count(part) <= parts.count(part) for part in shown)


def test_tags_do_move_and_do_go_missing() -> None:
    versions = module("TagShuffle").versions_of("a robot, red, on a table", "a.png", 50)
    assert {version.count(",") for version in versions} == {0, 1, 2}
    assert any(not version.startswith("a robot") for version in versions)
    with pytest.raises(IndexError):
        module("TagShuffle").make_dataset(FOLDER, 64, DatasetConfig())[99]


def test_alpha_is_the_pictures_own_and_none_where_nothing_is_transparent(tmp_path: Path) -> None:
    for part in ("Images", "ImageCaptions"):
        (tmp_path / part).mkdir()
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (16, 16, 48, 48))
    image.save(tmp_path / "Images" / "a.png")
    image.convert("RGB").save(tmp_path / "Images" / "b.png")
    for stem in "ab":
        (tmp_path / "ImageCaptions" / f"{stem}.txt").write_text("a thing", encoding="utf-8")
    dataset = module("MaskedLoss").make_dataset(tmp_path, 64)
    expected = torch.zeros(64, 64)
    expected[16:48, 16:48] = 1
    assert torch.equal(dataset.alpha_of(0), expected)
    assert dataset.alpha_of(1) is None
    masks = importlib.import_module("CONTRIBUTIONS.MaskedLoss.src.train").masks_of
    items = [dataset[i] for i in range(2)]
    # The second has no alpha, so its black border decides: the same square.
    assert torch.equal(masks(dataset, items), expected.expand(2, 1, 64, 64))


@pytest.mark.parametrize("name", ["MaskedLoss", "TagShuffle"])
def test_a_folder_without_pictures_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "Images").mkdir()
    arguments = (tmp_path, 64) if name == "MaskedLoss" else (tmp_path, 64, DatasetConfig())
    with pytest.raises(FileNotFoundError, match="no pictures"):
        module(name).make_dataset(*arguments)
