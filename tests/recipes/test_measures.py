"""The measures see what they are said to see."""

from __future__ import annotations

import torch

from recipes.tiny_sd.composite import Placement, compose, to_tensor
from recipes.tiny_sd.measures import background_names, concept_ranks, nearest_styles
from recipes.tiny_sd.models import training_scheduler
from recipes.tiny_sd.reference import load_reference
from recipes.tiny_sd.unet import snr_weights
from recipes.tiny_sd.vae import psnr
from recipes.tiny_sd.vocabulary import BACKGROUNDS


def test_background_is_named_under_a_drawing_that_touches_the_border() -> None:
    icon = load_reference().icons[0, 0]
    pictures = [
        compose(icon, colour, Placement(1.0, None, 0.0, 0.0)) for colour in BACKGROUNDS.values()
    ]
    assert background_names(to_tensor(pictures)) == list(BACKGROUNDS)


def test_rank_counts_nearer_concepts() -> None:
    references = torch.eye(3)[:, None, :]  # (concepts=3, styles=1, F=3)
    features = torch.tensor([[0.9, 0.4, 0.1], [0.1, 0.2, 0.9]])  # (B=2, F=3)
    assert concept_ranks(features, references, torch.tensor([0, 0])).tolist() == [0, 2]


def test_style_is_the_nearest_drawing_of_the_concept() -> None:
    references = torch.eye(4).view(2, 2, 4)  # (concepts=2, styles=2, F=4)
    features = torch.eye(4)[3:]  # (B=1, F=4)
    assert nearest_styles(features, references, torch.tensor([1])).tolist() == [1]


def test_psnr_of_a_known_error() -> None:
    black, grey = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.2)
    torch.testing.assert_close(psnr(black, grey), torch.tensor([20.0]))


def test_min_snr_weights_are_one_for_noisy_steps_and_small_for_clean_ones() -> None:
    weights = snr_weights(training_scheduler(), 5.0)
    assert weights.shape == (1000,)
    assert weights[-1] == 1.0
    assert weights[0] < 0.05
