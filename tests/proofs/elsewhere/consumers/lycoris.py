"""LyCORIS as kohya's trainer calls it: ``lycoris/kohya.py``."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence

from diffusers import StableDiffusionPipeline

from tests.proofs.elsewhere.base import text_encoder_of
from tests.proofs.elsewhere.programs import Program, importable, missing

from . import Consumer, Merge


def consumer(program: Program) -> Consumer:
    """Merge file after file."""
    with importable([program.code], missing(["einops", "toml"])):
        module = importlib.import_module("lycoris.kohya")
    logging.getLogger("LyCORIS").setLevel(logging.ERROR)

    def consume(files: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
        used = []
        for file, strength in files:
            # Its first preset, `full`, finds two layers of SD 1.x twice and stops (4.1.3).
            module.LycorisNetworkKohya.apply_preset(module.PRESET["attn-mlp"])
            network, tensors = module.create_network_from_weights(
                strength, str(file), None, text_encoder_of(pipeline), pipeline.unet,
                for_inference=True,
            )  # fmt: skip
            found = network.text_encoder_loras + network.unet_loras
            # Not network.merge_to, which merges at strength 1 whatever was asked for (4.1.3).
            for one in found:
                one.merge_to(strength)
            names = {one.lora_name for one in found}
            used.append(sum(key.partition(".")[0] in names for key in tensors))
        return used[0]

    return consume
