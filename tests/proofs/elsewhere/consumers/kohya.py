"""kohya's sd-scripts: ``networks/lora.py``, as ``networks/merge_lora.py`` calls it."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence

import torch
from diffusers import StableDiffusionPipeline

from tests.proofs.elsewhere.base import text_encoder_of
from tests.proofs.elsewhere.programs import Program, importable, missing

from . import Consumer, Merge


def consumer(program: Program) -> Consumer:
    """Merge file after file."""
    with importable([program.code], missing(["torchvision", "cv2", "einops"])):
        lora = importlib.import_module("networks.lora")
    logging.getLogger(lora.__name__).setLevel(logging.ERROR)

    def consume(files: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
        used = []
        for file, strength in files:
            encoder = text_encoder_of(pipeline)
            network, tensors = lora.create_network_from_weights(
                strength, str(file), None, encoder, pipeline.unet, for_inference=True
            )
            names = {one.lora_name for one in network.text_encoder_loras + network.unet_loras}
            network.merge_to(encoder, pipeline.unet, tensors, torch.float32, torch.device("cpu"))
            used.append(sum(key.partition(".")[0] in names for key in tensors))
        return used[0]

    return consume
