"""Which options of the command line are fields of which settings."""

from __future__ import annotations

TRAIN_OPTIONS = (
    *("steps", "batch_size", "learning_rate", "text_encoder_learning_rate", "seed", "optimizer"),
    *("lr_schedule", "lr_warmup_steps", "caption_dropout", "min_snr_gamma", "noise_offset"),
    *("mixed_precision", "gradient_accumulation_steps", "gradient_checkpointing", "fast_layers"),
)
LORA_OPTIONS = ("rank", "alpha", "train_text_encoder")
DATASET_OPTIONS = ("flip", "repeats", "shuffle_captions", "keep_tokens", "trigger_word", "buckets")
SAMPLING_OPTIONS = ("num_inference_steps", "guidance_scale", "negative_prompt")
# Field of a record -> the option that a person typed.
OPTION_OF = {
    **{
        field: f"--{field.replace('_', '-')}"
        for field in (*TRAIN_OPTIONS, *LORA_OPTIONS, *DATASET_OPTIONS, *SAMPLING_OPTIONS)
    },
    **{"height": "--resolution", "width": "--resolution", "resolution": "--resolution"},
    **{"validation_share": "--validation-share", "keep_checkpoints": "--keep-checkpoints"},
    **{f"{what}_every": f"--{what}-every" for what in ("sample", "validate", "checkpoint")},
}
