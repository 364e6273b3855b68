"""Check what hooks return. Each message says what the contract wants and what came instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import nn

from harness.errors import HookResultError
from toolkit.core.settings import TrainResult
from toolkit.picture_sets.buckets import bucket_sizes, bucket_step_px

SPEC = "See harness/hookspecs.py."


def check_dataset(dataset: Any, resolution: int, buckets: bool, where: str) -> None:
    """Check that ``make_dataset`` returned a non-empty dataset whose first item fits the contract.

    Args:
        dataset: What came back.
        resolution: What was asked for, in pixels.
        buckets: Whether the sides may differ from ``resolution``.
        where: Whose dataset it is.

    Raises:
        HookResultError: Length, type, shape, dtype or range is wrong.
    """
    try:
        length = len(dataset)
    except TypeError as error:
        raise HookResultError(
            f"make_dataset returned a {type(dataset).__name__} without a length.",
            where=where,
            fix=f"Return a map-style torch Dataset with __len__ and __getitem__. {SPEC}",
        ) from error
    if length == 0:
        raise HookResultError(
            "make_dataset returned an empty dataset.",
            where=where,
            fix="Look at how it lists data_dir/Images (upper-case extensions? a wrong folder?).",
        )
    item = dataset[0]
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise HookResultError(
            f"An item of the dataset is a {type(item).__name__}, not (pixel_values, caption).",
            where=where,
            fix=SPEC,
        )
    pixel_values, caption = item
    check_shape(pixel_values, resolution, buckets, where)
    low, high = float(pixel_values.min()), float(pixel_values.max())
    if pixel_values.dtype != torch.float32 or low < -1.001 or high > 1.001:
        raise HookResultError(
            f"pixel_values is {pixel_values.dtype} in [{low:.3g}, {high:.3g}]; the contract wants "
            "float32 in [-1, 1].",
            where=where,
            fix="Divide by 127.5 and subtract 1.",
        )
    if not isinstance(caption, str):
        raise HookResultError(
            f"The caption is a {type(caption).__name__}, not text.", where=where, fix=SPEC
        )


def check_shape(pixel_values: Any, resolution: int, buckets: bool, where: str) -> None:
    """Check that a picture is a tensor of the size that was asked for, or that of a bucket.

    Raises:
        HookResultError: It is not.
    """
    shape = tuple(getattr(pixel_values, "shape", ()))
    found = shape if isinstance(pixel_values, torch.Tensor) else type(pixel_values).__name__
    if not buckets and (not isinstance(found, tuple) or shape != (3, resolution, resolution)):
        raise HookResultError(
            f"pixel_values is {found}; the contract wants a tensor of shape "
            f"{(3, resolution, resolution)}.",
            where=where,
            fix="Resize the shorter side to `resolution`, crop, and put channels first. (Sides may "
            "differ only with [settings.dataset] buckets = true.)",
        )
    if buckets and (not isinstance(found, tuple) or not is_bucket(shape, resolution)):
        raise HookResultError(
            f"pixel_values is {found}; with buckets the contract wants a tensor (3, H, W) of whole "
            f"steps of {bucket_step_px(resolution)} pixels, at most {resolution}² pixels in all.",
            where=where,
            fix="toolkit.picture_sets.buckets.bucket_sizes(resolution) lists the sizes.",
        )


def is_bucket(shape: tuple[int, ...], resolution: int) -> bool:
    """Tell whether (channels, height, width) is one of the sizes that buckets may have."""
    return len(shape) == 3 and shape[0] == 3 and (shape[2], shape[1]) in bucket_sizes(resolution)


def check_adapter(adapter: Any, where: str) -> list[nn.Parameter]:
    """Check that ``make_lora`` returned a module with trainable parameters, and return those.

    Raises:
        HookResultError: It is no module, or nothing in it can be trained.
    """
    if not isinstance(adapter, nn.Module):
        raise HookResultError(
            f"make_lora returned a {type(adapter).__name__}, not a torch.nn.Module.",
            where=where,
            fix=f"Return the module that holds the trainable parameters. {SPEC}",
        )
    parameters = [p for p in adapter.parameters() if p.requires_grad]
    if not parameters:
        raise HookResultError(
            "The adapter has no trainable parameters.",
            where=where,
            fix="Attach at least one layer, and do not freeze the adapter with the base.",
        )
    return parameters


def check_train_result(result: Any, steps: int, where: str) -> tuple[float, ...]:
    """Check that ``train`` returned one finite loss per step of the budget, and return them.

    Raises:
        HookResultError: Wrong type, wrong number, or a loss that is not finite.
    """
    if not isinstance(result, TrainResult):
        raise HookResultError(
            f"train returned a {type(result).__name__}, not a TrainResult.",
            where=where,
            fix="from harness import TrainResult, then: return TrainResult(losses=tuple(losses))",
        )
    if len(result.losses) != steps:
        raise HookResultError(
            f"train reports {len(result.losses)} losses; the budget is {steps} optimiser steps.",
            where=where,
            fix="Do config.steps optimiser steps and keep one loss for each.",
        )
    if not all(math.isfinite(loss) for loss in result.losses):
        raise HookResultError(
            "A training loss is NaN or infinite.", where=where, fix="Lower the learning rate."
        )
    return result.losses


def check_pictures(
    pictures: Any, count: int, size: tuple[int, int], where: str
) -> Sequence[Image.Image]:
    """Check that ``generate`` returned ``count`` RGB pictures of ``size`` (width, height) pixels.

    Raises:
        HookResultError: Count, type, mode or size is wrong.
    """
    if not isinstance(pictures, (list, tuple)) or len(pictures) != count:
        found = len(pictures) if isinstance(pictures, (list, tuple)) else type(pictures).__name__
        raise HookResultError(
            f"generate returned {found}; {count} prompts want a list of {count} pictures.",
            where=where,
            fix=SPEC,
        )
    for number, picture in enumerate(pictures):
        if not isinstance(picture, Image.Image) or picture.size != size or picture.mode != "RGB":
            found = f"{getattr(picture, 'mode', type(picture).__name__)} "
            found += f"{getattr(picture, 'size', '')}"
            raise HookResultError(
                f"Picture {number} is {found}; wanted an RGB PIL image of {size}.",
                where=where,
                fix="Honour config.width and config.height.",
            )
    return pictures
