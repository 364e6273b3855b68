"""Muon takes the layers' matrices and makes its steps as large in every direction."""

from __future__ import annotations

import torch

from recipes.tiny_sd.muon import Muon, is_matrix, orthogonal


def test_singular_values_become_about_one() -> None:
    torch.manual_seed(0)
    for shape in ((2, 24, 48), (2, 48, 24)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.5 < float(values.min()) <= float(values.max()) < 1.4


def test_matrices_of_one_shape_do_not_mix() -> None:
    torch.manual_seed(0)
    both = torch.randn(2, 24, 48)
    together = orthogonal(both)
    for one, alone in zip(together, both, strict=True):
        torch.testing.assert_close(one, orthogonal(alone[None])[0], atol=0.03, rtol=0.0)


def test_tables_of_words_biases_and_thin_layers_are_no_matrices() -> None:
    assert is_matrix("mid_block.conv.weight", torch.zeros(32, 32, 3, 3))
    assert not is_matrix("text.token_embedding.weight", torch.zeros(900, 128))
    assert not is_matrix("conv_in.weight", torch.zeros(32, 3, 3, 3))
    assert not is_matrix("conv_in.bias", torch.zeros(32))


def test_a_matrix_is_learnt() -> None:
    torch.manual_seed(0)
    wanted, weight = torch.randn(16, 32), torch.nn.Parameter(torch.zeros(16, 32))
    muon = Muon([weight], lr=0.05, weight_decay=0.0)
    losses = []
    for _ in range(200):
        loss = (weight - wanted).square().mean()
        torch.autograd.backward(loss)
        muon.step()
        muon.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]
