"""Two people get the same corpus, and it has none of the held-out tracks' pictures."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from recipes.tiny_sd import packages as packages_module
from recipes.tiny_sd.autoencoder_pictures import AutoencoderPictures
from recipes.tiny_sd.captions import caption, sample_caption
from recipes.tiny_sd.corpus import GAME_ICONS, build_corpus, chosen_names, load_corpus, save_corpus
from recipes.tiny_sd.latents import draw_scene, taught_indices
from recipes.tiny_sd.packages import IconSet, PackageError, read_packages, tarball
from recipes.tiny_sd.reference import CANDIDATES, candidate_concepts, load_reference
from recipes.tiny_sd.stages import Context
from recipes.tiny_sd.vocabulary import BACKGROUNDS, CONCEPTS, STYLES, is_held_out, taught_concepts

from .conftest import FIXTURES

FIXTURE_CORPUS = "21e9b19a36120b1fd6066f7c7c37a504a75030b82226d7f9efc247b7a7b2c1f0"


def test_two_builds_have_the_same_hash(toy_run: Context, tmp_path: Path) -> None:
    corpus = build_corpus(
        read_packages(FIXTURES / "packages.toml"), FIXTURES, toy_run.recipe.icon_px
    )
    assert corpus.sha256 == load_corpus(toy_run.run).sha256 == FIXTURE_CORPUS
    save_corpus(corpus, tmp_path)
    assert load_corpus(tmp_path).entries == corpus.entries


def test_the_same_seed_draws_the_same_scenes(toy_run: Context) -> None:
    corpus = load_corpus(toy_run.run)
    taught = taught_indices(corpus)
    first = [draw_scene(corpus, taught, random.Random(1)) for _ in range(3)]
    second = [draw_scene(corpus, taught, random.Random(1)) for _ in range(3)]
    assert [scene for scene, _ in first] == [scene for scene, _ in second]
    assert [picture.tobytes() for _, picture in first] == [
        picture.tobytes() for _, picture in second
    ]


def test_held_out_names_are_never_drawn(toy_run: Context) -> None:
    corpus = load_corpus(toy_run.run)
    assert any(icon.held_out for icon in corpus.entries)
    assert not any(corpus.entries[i].held_out for i in taught_indices(corpus))
    pictures = AutoencoderPictures(corpus)
    assert not any(corpus.entries[i].held_out for i in pictures.trainable)


def test_extra_icons_are_for_the_autoencoder_only(toy_run: Context) -> None:
    corpus = load_corpus(toy_run.run)
    assert any(icon.extra for icon in corpus.entries)
    assert not any(corpus.entries[i].extra for i in taught_indices(corpus))


def test_drawings_of_the_binding_track_are_left_out() -> None:
    names = ("anchor", "broken-shield", "snail", "anvil")
    icons = IconSet(GAME_ICONS, {"icons": {name: {} for name in names}}, {})
    assert chosen_names(icons) == ["anvil"]


def test_held_out_packages_are_never_used() -> None:
    text = packages_module.TABLE.read_text(encoding="utf-8")
    names = [package.name for package in read_packages().values()]
    assert not any("streamline" in name or "kenney" in name or "arcade" in name for name in names)
    assert "https://" not in text and "http://" not in text
    assert set(STYLES.values()) < set(read_packages())


def test_about_one_name_in_ten_is_held_out() -> None:
    names = [f"name-{number}" for number in range(5000)]
    share = sum(map(is_held_out, names)) / len(names)
    assert 0.08 < share < 0.12
    assert 0.05 < 1 - len(taught_concepts()) / len(CONCEPTS) < 0.2


def test_a_wrong_tarball_is_refused(tmp_path: Path) -> None:
    package = read_packages(FIXTURES / "packages.toml")["noto"]
    (tmp_path / package.filename).write_bytes(b"something else")
    with pytest.raises(PackageError, match=r"is not the pinned(.|\n)*Fix:"):
        tarball(package, tmp_path)


def test_missing_npm_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_module.shutil, "which", lambda _: None)
    package = replace(read_packages()["noto"])
    with pytest.raises(PackageError, match=r"npm is not installed(.|\n)*--packages"):
        tarball(package, tmp_path)


def test_captions_name_what_is_shown() -> None:
    assert caption("red-apple", "blue", "noto") == "a red apple, noto style, on a blue background"
    assert caption("axe", "orange", None, "small") == "a small axe on an orange background"
    rng = random.Random(0)
    texts = [sample_caption("cat-face", "blue", "noto", "large", rng) for _ in range(300)]
    assert all("large cat" in text and "face" not in text for text in texts)
    assert 0.6 < sum("noto style" in text for text in texts) / 300 < 0.85
    assert sum("blue" in text for text in texts) / 300 > 0.85


def test_committed_reference_pictures_fit_the_vocabulary() -> None:
    reference = load_reference()
    assert reference.concepts == candidate_concepts()
    assert len(reference.concepts) == CANDIDATES
    assert reference.icons.shape == (CANDIDATES, len(STYLES), 64, 64, 4)
    assert reference.pixel_values("blue").shape == (CANDIDATES * len(STYLES), 3, 64, 64)
    assert len(reference.held_out) == 96


def test_background_colours_are_far_apart() -> None:
    colours = list(BACKGROUNDS.values())
    for first in colours:
        for second in colours:
            distance = sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5
            assert first == second or distance > 60
