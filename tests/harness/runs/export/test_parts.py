"""Ranks and factors, as arithmetic."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.export.plain import as_layer, pairs_of
from harness.runs.export.shrink import smallest_rank

VALUES = st.lists(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12), min_size=1, max_size=5)


@given(VALUES, st.floats(0.01, 0.99))
def test_the_rank_is_the_smallest_that_keeps_the_error(values, error):
    found = {
        str(n): torch.tensor(sorted(one, reverse=True)).double() for n, one in enumerate(values)
    }
    rank = smallest_rank(found, error)
    total = math.sqrt(sum(float(one.square().sum()) for one in found.values()))

    def left_out(kept):
        return math.sqrt(sum(float(one[kept:].square().sum()) for one in found.values())) / total

    assert left_out(rank) <= error + 1e-9
    assert rank == 1 or left_out(rank - 1) > error - 1e-9


@pytest.mark.parametrize("scale", [0.25, 1.0, 2.0, 16 / math.sqrt(3), -1.0])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3, 3)])
def test_the_scale_between_factors_and_change_is_found(scale, shape):
    torch.manual_seed(0)
    down, up = torch.randn(3, math.prod(shape[1:])), torch.randn(6, 3)
    delta = (up @ down * scale).reshape(shape)
    layer = as_layer((down, up), delta)
    assert layer is not None
    assert layer.scale == pytest.approx(scale, rel=1e-4)
    torch.testing.assert_close(layer.delta().float(), delta, rtol=1e-3, atol=1e-4)


def test_what_is_no_multiple_of_the_product_is_no_plain_lora():
    torch.manual_seed(0)
    down, up = torch.randn(3, 5), torch.randn(6, 3)
    bent = (up @ down) * torch.linspace(1, 1.01, 6)[:, None]  # what DoRA's magnitudes do
    assert as_layer((down, up), bent) is None
    assert as_layer((down, up), torch.randn(6, 4)) is None
    assert as_layer((down, up[:, :2]), up @ down) is None


@pytest.mark.parametrize(
    "key",
    [
        "unet_mid_block_to_q.lora_A",
        "unet.mid_block.to_q.lora_A.weight",
        "base_model.model.unet.mid_block.to_q.lora_A.default.weight",
        "unet_mid_block_to_q.lora_A.weight",
    ],
)
def test_names_of_several_spellings_are_one_layer(key):
    first, second = torch.ones(1), torch.zeros(1)
    (name,) = pairs_of({key: first, key.replace("lora_A", "lora_B"): second})
    assert name == "unet_mid_block_to_q"


def test_a_factor_without_its_twin_is_no_pair():
    assert (
        pairs_of({"a.lora_A": torch.ones(1), "b.lora_B": torch.ones(1), "c": torch.ones(1)}) == {}
    )
