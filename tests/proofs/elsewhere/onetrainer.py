"""OneTrainer: its LoRA modules, and its saver in each of its formats, with a bundled embedding.

Its converter of names imports the package ``parse``; put that into its folder.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionPipeline

from .base import text_encoder_of
from .producers import Deltas, Producer, filled
from .programs import Program, alone, importable, missing

WORD: Final = "robot"
# Name -> format, and what is trained in another way than a plain LoRA of rank 4.
FILES: Final[dict[str, dict[str, Any]]] = {
    "kohya format": {"form": "KOHYA_LORA"},
    "diffusers format": {"form": "DIFFUSERS_LORA"},
    "comfy format": {"form": "COMFY_LORA"},
    "original format": {"form": "ORIGINAL_LORA", "text": False},
    "kohya format, embedding": {"form": "KOHYA_LORA", "bundled": True},
    "diffusers format, embedding": {"form": "DIFFUSERS_LORA", "bundled": True},
    "DoRA": {"form": "KOHYA_LORA", "lora_decompose": True},
    "LoHa": {"form": "KOHYA_LORA", "peft_type": "LOHA"},
    "LoKr": {"form": "KOHYA_LORA", "peft_type": "LOKR"},
    "OFT": {"form": "KOHYA_LORA", "peft_type": "OFT_2"},
}
SETTINGS: Final = {
    "lora_rank": 4, "lora_alpha": 2.0, "layer_filter_regex": False, "debug_mode": False,
    "train_device": "cpu", "lora_decompose": False, "lora_decompose_norm_epsilon": True,
    "lora_decompose_output_axis": True, "oft_block_size": 4, "oft_block_share": False,
    "oft_scaled": False, "dropout_probability": 0.0, "lokr_dim": 4, "lokr_decompose_both": False,
    "lokr_decompose_factor": -1, "lokr_use_tucker": False, "lokr_weight_decompose": False,
    "lokr_dora_on_output": False, "lokr_full_matrix": False, "lokr_vec_trick": False,
    "bundle_additional_embeddings": True, "include_train_config": None, "peft_type": "LORA",
}  # fmt: skip


def by_onetrainer(program: Program) -> Iterator[Producer]:
    """Yield OneTrainer's LoRAs of the attention blocks and the text encoder."""
    with alone("modules"), importable([program.code], missing(["gguf"])):
        lora = importlib.import_module("modules.module.LoRAModule")
        saver = importlib.import_module(
            "modules.modelSaver.stableDiffusion.StableDiffusionLoRASaver"
        )
        models = importlib.import_module("modules.model.StableDiffusionModel")
        kinds: Any = importlib.import_module("modules.util.enum.ModelType")
        forms: Any = importlib.import_module("modules.util.enum.ModelFormat")

    def file(
        pipeline: StableDiffusionPipeline, path: Path, form: str, *, text: bool = True,
        bundled: bool = False, **more: Any,
    ) -> Deltas:  # fmt: skip
        config = types.SimpleNamespace(**{**SETTINGS, **more})
        config.peft_type = kinds.PeftType[config.peft_type]
        encoder = text_encoder_of(pipeline)
        model = models.StableDiffusionModel(kinds.ModelType.STABLE_DIFFUSION_15)
        model.train_config, model.text_encoder, model.lora_state_dict = config, encoder, None
        with contextlib.redirect_stdout(io.StringIO()):
            unet = lora.LoRAModuleWrapper(pipeline.unet, "unet", config, ["attentions"])
            texts = lora.LoRAModuleWrapper(encoder, "text_encoder", config) if text else None
        model.unet_lora, model.text_encoder_lora = unet, texts
        parts = {"unet.": unet, **({"text_encoder.": texts} if texts else {})}
        for wrapper in parts.values():
            for one in wrapper.lora_modules.values():
                filled(one)
        vector = types.SimpleNamespace(
            placeholder=WORD, vector=torch.ones(1, 16), output_vector=None
        )
        embedding = types.SimpleNamespace(text_encoder_embedding=vector)
        model.additional_embeddings = [embedding] if bundled else []
        with contextlib.redirect_stdout(io.StringIO()):
            saver.StableDiffusionLoRASaver().save(
                model, forms.ModelFormat[form], str(path), torch.float32
            )
        if config.peft_type != kinds.PeftType.LORA or config.lora_decompose:
            return {}  # it is refused; there is nothing to compare
        return {
            prefix + name: one.make_weight(one.lora_down.weight, one.lora_up.weight).detach()
            * float(one.alpha / one.rank)
            for prefix, wrapper in parts.items()
            for name, one in wrapper.lora_modules.items()
        }  # fmt: skip

    for name, more in FILES.items():
        yield f"OneTrainer: {name}", partial(file, **more)
