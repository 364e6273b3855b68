"""LoHa and LoKr compute the same weight as LyCORIS, who named them; skipped where it is absent.

Not in ``nox -s extras``, which installs it: CI runs that, too.
"""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import nn

OUT, IN, ALPHA = 16, 24, 6.0

# own name -> name in LyCORIS
PARTS = {
    "LoHa": {"w1_a": "hada_w1_a", "w1_b": "hada_w1_b", "w2_a": "hada_w2_a", "w2_b": "hada_w2_b"},
    "LoKr": {"small": "lokr_w1", "low_a": "lokr_w2_a", "low_b": "lokr_w2_b"},
}


@pytest.mark.needs("lycoris")
@pytest.mark.parametrize("name", PARTS)
@torch.no_grad()
def test_the_changed_weight_is_that_of_lycoris(name: str) -> None:
    modules: Any = importlib.import_module(f"lycoris.modules.{name.lower()}")
    torch.manual_seed(0)
    layer = nn.Linear(IN, OUT, bias=False)
    own = getattr(importlib.import_module(f"CONTRIBUTIONS.{name}.src.lora"), name)(
        layer.weight, 2, ALPHA
    )
    options = {"factor": 4} if name == "LoKr" else {}
    module = getattr(modules, f"{name[:2]}{name[2:].lower()}Module")
    theirs = module("x", layer, 1.0, lora_dim=2, alpha=ALPHA, **options)
    for key, parameter in own.named_parameters():
        parameter.normal_()
        getattr(theirs, PARTS[name][key]).copy_(parameter)
    # What its forward pass adds. get_merged_weight of 4.1.3 multiplies by alpha / rank twice.
    change = theirs.get_weight(layer.weight.shape)
    torch.testing.assert_close(own(layer.weight), layer.weight + change, atol=1e-5, rtol=1e-5)
