"""Load a base model, and know it by its contents."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness import paths
from toolkit.core.errors import BaseModelError, EnvironmentFault

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from torch import nn

# Where the bases of tracks come from that are too large for the repository, in safetensors only.
ORIGINS = {
    "stable-diffusion-v1-4": "5 GB, once: python harness/environment.py "
    "-m huggingface_hub.cli.hf download CompVis/stable-diffusion-v1-4 "
    "--local-dir models/stable-diffusion-v1-4 --exclude '*.ckpt' --exclude '*.bin' "
    "--exclude '*fp16*' --exclude '*non_ema*'",
}

# The base in the repository. The gate builds its small models from it, whatever the track.
EMBEDDED_BASE = paths.ROOT / "models" / "tiny-sd"

COMPONENTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def check_folder(folder: Path) -> None:
    """Make sure a folder has the shape of a diffusers model, before torch is woken.

    A person's own track may name a ``.safetensors`` checkpoint instead.

    Raises:
        BaseModelError: The folder or one of its parts is missing; all of them are named.
    """
    if folder.is_file():
        from toolkit.base_models.load import refuse_pickle

        refuse_pickle(folder)
        return
    if not folder.is_dir():
        raise BaseModelError(
            "The base model is not there.",
            where=str(folder),
            fix=how_to_get(folder),
        )
    missing = [part for part in COMPONENTS if not (folder / part).is_dir()]
    if not (folder / "model_index.json").is_file():
        missing.insert(0, "model_index.json")
    for part in ("unet", "vae", "text_encoder"):
        if (folder / part).is_dir() and not list((folder / part).glob("*.safetensors")):
            missing.append(f"{part}/*.safetensors")
    if missing:
        raise BaseModelError(
            f"The base model is incomplete: {', '.join(missing)} missing.",
            where=str(folder),
            fix="Restore the folder, or download the model again in diffusers layout.",
        )


def is_embedded(folder: Path) -> bool:
    """Tell whether a base comes with the repository."""
    return folder == paths.ROOT / "models" / "tiny-sd"


def how_to_get(folder: Path) -> str:
    """Return what to do about a base that is not there."""
    if is_embedded(folder):
        return "It is part of the repository: git checkout -- models"
    return f"Put a model in diffusers layout there. {ORIGINS.get(folder.name, '')}".strip()


def load_pipeline(folder: Path, device: str = "cpu") -> StableDiffusionPipeline:
    """Load the base of a track in float32 and eval mode, from safetensors, offline.

    Raises:
        BaseModelError: The folder is missing, incomplete or damaged.
        EnvironmentFault: There is no such device.
    """
    check_folder(folder)
    from toolkit.base_models.load import load_pipeline as load

    check_device(device)
    try:
        pipeline = load(folder)
    except BaseModelError as error:
        raise BaseModelError(
            f"The track's base cannot be loaded: {error.what}",
            where=str(folder),
            fix=f"Restore the folder. {how_to_get(folder)}",
        ) from error
    return pipeline.to(device)


def require_noise(pipeline: StableDiffusionPipeline) -> None:
    """Make sure that a base predicts noise, as the held-out loss supposes.

    Raises:
        BaseModelError: It predicts something else.
    """
    kind = pipeline.scheduler.config.get("prediction_type", "epsilon")
    if kind != "epsilon":
        raise BaseModelError(
            f"The scorer knows bases that predict noise, not {kind!r}.",
            fix="Use a base of Stable Diffusion 1.x.",
        )


def check_device(device: str) -> None:
    """Make sure torch can compute on a device.

    Raises:
        EnvironmentFault: There is no such device.
    """
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise EnvironmentFault(
            f"The device {device!r} was asked for, but torch finds no CUDA graphics card.",
            fix="Leave --device out; `nox -s doctor` shows what torch can compute on.",
        )


def with_models(pipeline: StableDiffusionPipeline, **models: nn.Module) -> StableDiffusionPipeline:
    """Return a pipeline like this one with some of its models (``unet=...``) exchanged."""
    components = {**pipeline.components, **models}
    other = type(pipeline)(**components, requires_safety_checker=False)
    other.set_progress_bar_config(disable=True)
    return other


def model_hash(folder: Path) -> str:
    """Return ``sha256:...`` over the files that define what the model computes.

    Model cards and pictures may change without making it another model.
    """
    if folder.is_file():
        return f"sha256:{file_hash(folder, *stamp(folder))}"
    digest = hashlib.sha256()
    for part in COMPONENTS:
        for path in sorted((folder / part).rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                digest.update(f"{name}\0{file_hash(path, *stamp(path))}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def stamp(path: Path) -> tuple[int, int]:
    """Return what changes with a file's contents: its size and when it was written."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache
def file_hash(path: Path, size: int, written_ns: int) -> str:
    """Return the sha256 of a file; one of gigabytes is read once in a process."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
