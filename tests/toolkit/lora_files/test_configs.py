"""Alpha outside the tensors: the same layer finds the same entry as in PEFT."""

from __future__ import annotations

import itertools

import pytest
from peft.utils.other import get_pattern_key

from tests.toolkit.lora_files.support import random_lora, tiny_layout
from toolkit.lora_files.configs import config_of, parse_config
from toolkit.lora_files.memory import Lora

PATTERNS = (
    "to_q",
    "attn1.to_q",
    "^conv_in",
    "^to_q",
    "proj_in",
    "q",
    "0.ff.net.2",
    "^up_blocks.1.attentions.0.proj_in",
    "resnets.0.conv1",
    "encoder.layers.0.mlp.fc1",
)


def test_patterns_fit_the_layers_that_peft_says():
    for first, second in itertools.permutations(PATTERNS, 2):
        rule = parse_config({"lora_alpha": 0, "alpha_pattern": {first: 1, second: 2}})
        values = {first: 1.0, second: 2.0}
        for layer in tiny_layout().layers:
            name = layer.partition(".")[2].removeprefix("text_model.")
            wanted = values.get(get_pattern_key([first, second], name), 0.0)
            assert rule.alpha_of(layer, 4) == wanted, (layer, first, second)


def test_a_name_with_text_model_fits_too():
    name = "text_model.encoder.layers.0.mlp.fc1"
    rule = parse_config({"lora_alpha": 1, "alpha_pattern": {f"^{name}": 7}})
    assert rule.alpha_of(f"text_encoder.{name}", 4) == 7


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_a_written_configuration_says_every_layers_alpha(part):
    lora = random_lora(mixed=True)
    config = config_of(lora, part)
    rule = parse_config(config)
    for name, layer in lora.layers.items():
        if name.startswith(f"{part}."):
            assert rule.alpha_of(name, layer.rank) == layer.alpha
            short = name.partition(".")[2].removeprefix("text_model.")
            assert config["rank_pattern"].get(short, config["r"]) == layer.rank
    # Whichever order the layers came in, the bytes are the same.
    backwards = Lora(dict(reversed(list(lora.layers.items()))))
    assert config_of(backwards, part) == config
