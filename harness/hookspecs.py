"""The contract between a contribution and the hub: four hooks, specified by this file.

To implement a hook, write a function with its name and its parameter names (or fewer), mark it with
``@hookimpl``, import it in your ``main.py`` and list it under ``hooks`` in ``contribution.toml``.

Rules for all four hooks:

* No default values, no keyword-only parameters, no ``*args`` or ``**kwargs``: pluggy fills such
  parameters differently from version to version, or not at all.
* Depend only on the arguments. The pipeline, dataset or adapter may come from another
  contribution, and the working directory is a scratch folder.
* Return a value. ``None`` means "no answer" to pluggy, and the hub refuses it.
"""

# Annotations stay strings here: naming torch's types must not cost an import of torch.
from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookspec
from toolkit.core.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image
    from torch import Tensor, nn
    from torch.utils.data import Dataset

    from toolkit.core.settings import (
        DatasetConfig,
        GenerateConfig,
        LoraConfig,
        TrainConfig,
        TrainResult,
    )


@hookspec(firstresult=True)
def make_dataset(
    data_dir: Path, resolution: int, config: DatasetConfig
) -> Dataset[tuple[Tensor, str]]:
    """Return the training pictures with their captions.

    Args:
        data_dir: Folder with ``Images/*.png|jpg|jpeg|webp`` and ``ImageCaptions/<same stem>.txt``.
            A track always has this layout. A user's own pictures may have any layout of
            docs/datasets.md; ``toolkit.picture_sets.layouts.read_folder`` reads them all.
        resolution: Side of the square pictures to return, in pixels; a multiple of 8.
        config: Repeats, mirror images, shuffled captions, trigger word, buckets, seed. Without this
            parameter, your hook ignores ``[settings.dataset]``.

    Returns:
        A map-style ``torch.utils.data.Dataset`` whose items are ``(pixel_values, caption)``:
        ``pixel_values`` is a float32 tensor of shape ``(3, resolution, resolution)``, RGB, with
        values in [-1, 1]; ``caption`` is the caption of that picture. The length never changes,
        and ``dataset[i]`` is always the same item, because trainers cache its latents.
        With ``config.buckets`` the shape is ``(3, H, W)`` and may differ from item to item: H and W
        are multiples of 64 (of 8 when ``resolution`` is below 256) between half and twice
        ``resolution``, and ``H * W`` is at most ``resolution ** 2``.

    Must not return None.
    """


@hookspec(firstresult=True)
def make_lora(pipeline: StableDiffusionPipeline, config: LoraConfig) -> nn.Module:
    """Attach a trainable adapter to the pipeline, in place, and freeze everything else.

    Args:
        pipeline: The base model; ``unet``, ``text_encoder`` and ``vae`` in float32, eval mode.
        config: Rank, alpha and target modules.

    Returns:
        A module that holds exactly the trainable parameters. They must be part of
        ``pipeline.unet`` (or ``pipeline.text_encoder``), so that calling the model uses them, and
        ``load_state_dict(state_dict())`` of the returned module must restore the adapter.
        Layers with an adjustable strength have an attribute ``lora_scale``: 1 as trained, 0 off.
        Before training, the pipeline must predict what the base predicts.

    Must not return None.
    """


@hookspec(firstresult=True)
def train(
    pipeline: StableDiffusionPipeline,
    dataset: Dataset[tuple[Tensor, str]],
    adapter: nn.Module,
    config: TrainConfig,
    reporter: Reporter,
) -> TrainResult:
    """Train the adapter to predict the noise in the noisy latents of the dataset's pictures.

    Args:
        pipeline: The base model with the adapter attached.
        dataset: What ``make_dataset`` returned.
        adapter: What ``make_lora`` returned. Only its parameters may change.
        config: Steps, batch size, learning rate, seed. The budget (``steps`` optimiser steps of
            ``batch_size`` pictures) is the same for all contributions.
        reporter: Call ``reporter.step(step, loss)`` after each optimiser step. To make the training
            resumable, see ``ResumableReporter``; this is optional.

    Returns:
        ``TrainResult(losses=...)`` with one finite loss per optimiser step.

    Must not return None.
    """


@hookspec(firstresult=True)
def generate(
    pipeline: StableDiffusionPipeline,
    adapter: nn.Module,
    prompts: Sequence[str],
    config: GenerateConfig,
) -> list[Image]:
    """Draw one picture per prompt with the trained adapter.

    Args:
        pipeline: The base model with the adapter attached.
        adapter: What ``make_lora`` returned, trained. To honour ``config.lora_scale``, set the
            attribute ``lora_scale`` of its layers. If they have none, refuse values other than 1.
        prompts: The texts to draw, one picture each.
        config: Steps, guidance, sampler, size, seed and ``lora_scale``. Picture ``i`` starts from
            noise drawn with seed ``config.seed + i``, so a picture does not depend on its
            neighbours.

    Returns:
        RGB pictures of ``config.width`` x ``config.height`` pixels, in the order of the prompts.

    Must not return None.
    """
