"""What a training writes into the header of its LoRA file, under the names of kohya's trainer.

A1111 and model sites show these entries; `hub.*` holds what has no name there. No torch is needed.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import PurePath

from toolkit.core.settings import LoraConfig, TrainConfig


def training_metadata(
    lora: LoraConfig,
    train: TrainConfig,
    *,
    base: str,
    base_sha256: str,
    prediction_type: str,
    resolution_px: int,
    pictures: int,
) -> dict[str, str]:
    """Return header entries about a training; all values are text.

    Rank, alpha and hashes are not among them: they follow from the tensors when a file is written.

    Args:
        lora: Settings of the adapter.
        train: Settings of the training.
        base: The base as it was given.
        base_sha256: Over its weights.
        prediction_type: ``epsilon`` or ``v_prediction``.
        resolution_px: Side of the training pictures.
        pictures: How many there were.
    """
    text_rate = train.text_encoder_learning_rate or train.learning_rate
    batches = -(-pictures // train.batch_size)
    return {
        "ss_sd_model_name": PurePath(base).name,
        "ss_new_sd_model_hash": base_sha256,
        "ss_learning_rate": f"{train.learning_rate:g}",
        "ss_unet_lr": f"{train.learning_rate:g}",
        "ss_text_encoder_lr": f"{text_rate:g}" if lora.train_text_encoder else "None",
        "ss_network_dropout": f"{lora.dropout:g}",
        "ss_optimizer": train.optimizer,
        "ss_lr_scheduler": train.lr_schedule,
        "ss_lr_warmup_steps": str(train.lr_warmup_steps),
        "ss_max_train_steps": str(train.steps),
        "ss_steps": str(train.steps),
        "ss_num_train_images": str(pictures),
        "ss_num_batches_per_epoch": str(batches),
        "ss_num_epochs": str(-(-train.steps // batches)),
        "ss_batch_size_per_device": str(train.batch_size),
        "ss_gradient_accumulation_steps": str(train.gradient_accumulation_steps),
        "ss_gradient_checkpointing": str(train.gradient_checkpointing),
        "ss_mixed_precision": train.mixed_precision,
        "ss_max_grad_norm": f"{train.max_grad_norm:g}",
        "ss_min_snr_gamma": "None" if train.min_snr_gamma is None else f"{train.min_snr_gamma:g}",
        "ss_noise_offset": f"{train.noise_offset:g}" if train.noise_offset else "None",
        "ss_caption_dropout_rate": f"{train.caption_dropout:g}",
        "ss_resolution": f"({resolution_px}, {resolution_px})",
        "ss_seed": str(train.seed),
        "ss_clip_skip": "None",
        "modelspec.resolution": f"{resolution_px}x{resolution_px}",
        "modelspec.prediction_type": "v" if prediction_type == "v_prediction" else "epsilon",
        "hub.base_sha256": base_sha256,
        "hub.lora": lora.model_dump_json(),
        "hub.train": train.model_dump_json(),
        "hub.versions": json.dumps({p: version(p) for p in ("torch", "diffusers", "transformers")}),
    }
