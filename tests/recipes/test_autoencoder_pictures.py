"""What the autoencoder learns from: changed drawings stay drawings, and draws repeat."""

from __future__ import annotations

import random

import numpy as np
import torch

from recipes.tiny_sd.autoencoder_pictures import AutoencoderPictures
from recipes.tiny_sd.backdrops import draw_backdrop
from recipes.tiny_sd.corpus import load_corpus
from recipes.tiny_sd.stages import Context
from recipes.tiny_sd.variations import outline, tint, turn_hue, vary


def _icon() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    icon = np.zeros((32, 32, 4), np.uint8)
    icon[8:24, 8:24] = (200, 40, 40, 255)
    icon[12:16, 12:16] = (20, 20, 20, 255)
    return icon


def test_the_same_seed_draws_the_same_pictures(toy_run: Context) -> None:
    pictures = AutoencoderPictures(load_corpus(toy_run.run))
    first, second = (pictures.batch(12, random.Random(5)) for _ in range(2))
    assert first.shape == (12, 3, 64, 64)
    assert torch.equal(first, second)


def test_backdrops_have_the_asked_size() -> None:
    rng = random.Random(1)
    assert {draw_backdrop(48, rng).size for _ in range(60)} == {(48, 48)}


def test_a_turned_hue_keeps_shape_and_grey() -> None:
    icon = _icon()
    turned = turn_hue(icon, 2.0)
    assert np.array_equal(turned[..., 3], icon[..., 3])
    assert np.abs(turned[13, 13].astype(int) - icon[13, 13].astype(int)).max() <= 1
    assert np.abs(turned[9, 9].astype(int) - icon[9, 9].astype(int)).max() > 50


def test_a_tinted_drawing_has_the_ink_and_keeps_its_parts() -> None:
    tinted = tint(_icon(), (50, 100, 220))
    assert tuple(tinted[9, 9, :3]) == (50, 100, 220)
    assert tinted[13, 13, 2] < 220


def test_an_outline_surrounds_the_drawing() -> None:
    outlined = outline(_icon(), (1, 2, 3), 2)
    assert outlined.shape == (32, 32, 4)
    opaque = outlined[outlined[..., 3] > 200][:, :3]  # (pixels, 3)
    assert [1, 2, 3] in opaque.tolist()
    assert max(opaque[:, 0]) > 190


def test_varied_icons_keep_their_shape() -> None:
    rng = random.Random(3)
    assert {vary(_icon(), rng).shape for _ in range(40)} == {(32, 32, 4)}
