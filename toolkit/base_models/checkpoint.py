"""A single .safetensors checkpoint of Stable Diffusion 1.x, as A1111 and ComfyUI use it.

Such a file holds the three models under their original names and nothing else. What the models look
like is read off the shapes of their weights; the tokenizer and the scheduler are those of every
Stable Diffusion 1.x. diffusers then translates the names, without asking the network.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.core.clip_tokens import CLIP_TOKENS
from toolkit.core.errors import BaseModelError, HubError
from toolkit.lora_files.header import Header, read_header
from toolkit.lora_files.layout import SD1_UNET

from .clip import VOCABULARY_SIZE, clip_tokenizer
from .complete import check_names
from .family import refuse_other_families

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

UNET: Final = "model.diffusion_model."
VAE: Final = "first_stage_model."
TEXT_MODELS: Final = "cond_stage_model."
TEXT: Final = "cond_stage_model.transformer.text_model."
BARE_TEXT: Final = "cond_stage_model.transformer."  # as transformers from 5.6 on names it

# Four levels; on the way down two ResNets and a downsampler each.
LEVELS, PER_LEVEL = 4, 3

SCHEDULER: Final = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}
COMPONENTS: Final = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "PNDMScheduler"],
}


def load_checkpoint(path: Path) -> StableDiffusionPipeline:
    """Load a checkpoint file in float32.

    Raises:
        BaseModelError: The file is damaged, of another model family, or lacks weights.
    """
    try:
        header = read_header(path, size_limit=None)
    except HubError as error:
        raise BaseModelError(error.what, where=error.where, fix=error.fix) from error
    configs = read_configs(header, path)

    from toolkit.base_models.diffusers import finished, quiet_diffusers

    diffusers = quiet_diffusers()
    import torch
    from safetensors import safe_open

    with tempfile.TemporaryDirectory(prefix="base-model-") as folder:
        write_configs(Path(folder), configs)
        try:
            pipeline = diffusers.StableDiffusionPipeline.from_single_file(
                str(path),
                config=folder,
                local_files_only=True,
                dtype=torch.float32,
                tokenizer=clip_tokenizer(),
                **bare_text_encoder(path, header, configs),
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
            )
        except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError) as error:
            # diffusers builds U-Net and VAE without numbers and then cannot convert what is left.
            lacking = "meta tensor" in str(error)
            what = "weights of the U-Net or the autoencoder are missing" if lacking else error
            raise BaseModelError(
                f"The checkpoint cannot be loaded: {what}.",
                where=str(path),
                fix="Fetch it again, or give --base a model in diffusers layout.",
            ) from error
    # A text encoder that lacks weights keeps random ones: ask the file for each.
    with safe_open(path, framework="pt") as file:
        for name, tensor in pipeline.text_encoder.state_dict().items():
            key = text_start(header.tensors) + name.removeprefix("text_model.")
            if key not in header.tensors or not torch.equal(file.get_tensor(key).float(), tensor):
                check_names("text_encoder", [name], set())
    return finished(pipeline)


def text_start(names: Iterable[str]) -> str:
    """Return how the names of the text encoder's weights begin in a checkpoint."""
    return TEXT if any(name.startswith(TEXT) for name in names) else BARE_TEXT


def bare_text_encoder(
    path: Path, header: Header, configs: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the text encoder of a checkpoint whose names diffusers does not know, ready made."""
    if text_start(header.tensors) == TEXT:
        return {}
    import torch
    from safetensors import safe_open
    from transformers import CLIPTextConfig, CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(**configs["text_encoder"])).float()
    with safe_open(path, framework="pt") as file, torch.no_grad():
        for name, weight in model.state_dict().items():
            key = BARE_TEXT + name.removeprefix("text_model.")
            if key in header.tensors:  # what is missing is named when everything is there
                weight.copy_(file.get_tensor(key))
    return {"text_encoder": model}


def read_configs(header: Header, path: Path) -> dict[str, dict[str, Any]]:
    """Return the configurations of a checkpoint's three models and of its scheduler.

    Raises:
        BaseModelError: It is no checkpoint of Stable Diffusion 1.x.
    """
    shapes = {name: entry.shape for name, entry in header.tensors.items()}
    refuse_other_families(path)
    if not any(name.startswith(UNET) for name in shapes):
        raise BaseModelError(
            "The file is no checkpoint of Stable Diffusion 1.x.",
            where=str(path),
            fix="A checkpoint has weights called model.diffusion_model..., first_stage_model... "
            "and cond_stage_model.transformer...; other families are not supported.",
        )
    try:
        unet_widths = [
            shapes[f"{UNET}input_blocks.{PER_LEVEL * level + 1}.0.out_layers.3.weight"][0]
            for level in range(LEVELS)
        ]
        vae_widths = [
            shapes[f"{VAE}encoder.down.{level}.block.0.conv1.weight"][0] for level in range(LEVELS)
        ]
        key_width = shapes[f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"][1]
        text = text_start(shapes)
        vocabulary, text_width = shapes[f"{text}embeddings.token_embedding.weight"]
        inner_width = shapes[f"{text}encoder.layers.0.mlp.fc1.weight"][0]
    except KeyError as error:
        raise BaseModelError(
            f"The checkpoint lacks the weight {error}.",
            where=str(path),
            fix="It may hold a U-Net or an autoencoder alone; a base needs U-Net, VAE and text "
            "encoder in one file.",
        ) from error
    if vocabulary != VOCABULARY_SIZE or key_width != text_width:
        raise BaseModelError(
            f"The checkpoint's text encoder has {vocabulary:,} words of width {text_width}, its "
            f"U-Net reads width {key_width}: this is not Stable Diffusion 1.x.",
            where=str(path),
            fix="Give --base the model in diffusers layout, which says what it is made of.",
        )
    layers = sum(
        name.startswith(f"{text}encoder.layers.") and name.endswith(".mlp.fc1.weight")
        for name in shapes
    )
    prediction = header.metadata.get("modelspec.prediction_type", "epsilon")
    return {
        "unet": {
            **SD1_UNET,
            "_class_name": "UNet2DConditionModel",
            "sample_size": 64,
            "attention_head_dim": 8,
            "block_out_channels": unet_widths,
            "cross_attention_dim": key_width,
        },
        "vae": {
            "_class_name": "AutoencoderKL",
            "down_block_types": ["DownEncoderBlock2D"] * LEVELS,
            "up_block_types": ["UpDecoderBlock2D"] * LEVELS,
            "block_out_channels": vae_widths,
            "layers_per_block": 2,
            "latent_channels": 4,
            "sample_size": 512,
            "scaling_factor": 0.18215,
        },
        "text_encoder": {
            "model_type": "clip_text_model",
            "architectures": ["CLIPTextModel"],
            "vocab_size": vocabulary,
            "hidden_size": text_width,
            "intermediate_size": inner_width,
            "num_hidden_layers": layers,
            "num_attention_heads": max(1, text_width // 64),
            "max_position_embeddings": CLIP_TOKENS,
            "hidden_act": "quick_gelu",
            "bos_token_id": VOCABULARY_SIZE - 2,
            "eos_token_id": VOCABULARY_SIZE - 1,
            "pad_token_id": VOCABULARY_SIZE - 1,
        },
        "scheduler": {
            **SCHEDULER,
            "prediction_type": "v_prediction" if prediction.startswith("v") else "epsilon",
        },
    }


def write_configs(folder: Path, configs: dict[str, dict[str, Any]]) -> None:
    """Write what diffusers wants to read beside a checkpoint: a model folder without weights."""
    index = {"_class_name": "StableDiffusionPipeline", **COMPONENTS}
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    for part, config in configs.items():
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        (folder / part).mkdir()
        (folder / part / name).write_text(json.dumps(config), encoding="utf-8")
