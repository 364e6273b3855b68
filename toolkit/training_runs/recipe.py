"""plan.toml: a run's settings as options, for ``--config``."""

from __future__ import annotations

from toolkit.core.config_file import as_table

from .fields import DATASET_OPTIONS, LORA_OPTIONS, TRAIN_OPTIONS
from .plan import RunPlan

HEAD = """\
# The settings of this run as options: `nox -s train -- {name} --config plan.toml` makes it again,
# `nox -s generate -- {name} --config plan.toml` draws its samples. What is typed wins.

"""


def as_toml(plan: RunPlan) -> str:
    """Return a plan as the file that ``train`` and ``generate`` accept as ``--config``."""
    train, sampling = plan.train.model_dump(), plan.sampling
    if not plan.lora.train_text_encoder:
        del train["text_encoder_learning_rate"]  # nothing to train with it
    parts = (
        ("data", plan.data_dir),
        ("base", plan.base),
        ("resolution", plan.resolution),
        ("preset", plan.preset),
        ("init", plan.init),
        *((name, getattr(plan.dataset, name)) for name in DATASET_OPTIONS),
        *((name, getattr(plan.lora, name)) for name in LORA_OPTIONS),
        *((name, train.get(name)) for name in TRAIN_OPTIONS),
        ("prompt", plan.prompts),
        ("num_inference_steps", sampling.num_inference_steps),
        ("guidance_scale", sampling.guidance_scale),
        ("negative_prompt", sampling.negative_prompt),
        ("sample_every", plan.sample_every),
        ("validate_every", plan.validate_every),
        ("validation_share", plan.validation_share),
        ("checkpoint_every", plan.checkpoint_every),
        ("keep_checkpoints", plan.keep_checkpoints),
        ("cache", plan.cache_dir),
        ("tensorboard", plan.tensorboard),
    )
    drawn = (
        ("prompt", plan.prompts),
        ("steps", sampling.num_inference_steps),
        ("guidance", sampling.guidance_scale),
        ("negative", sampling.negative_prompt),
        ("scheduler", sampling.scheduler),
        ("scale", sampling.lora_scale),
        ("seed", sampling.seed),
        ("width", sampling.width),
        ("height", sampling.height),
    )
    head = HEAD.format(name=plan.name)
    return f"{head}{as_table('train', parts)}\n{as_table('generate', drawn)}"
