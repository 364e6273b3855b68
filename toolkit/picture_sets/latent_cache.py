"""The outputs of the two frozen models, computed once per content and kept.

The VAE and the text encoder do not change in training, so each picture and each caption has to
pass them only once: in this run (memory), or in all runs (a folder).

A key is a digest of everything the answer depends on: the content of the picture after its
transform, or the token ids of the caption; the weights and settings of the model; the device and
the version of torch, which round differently. Names and times of files are no part of it, so an
entry cannot be out of date: what changes gets another key.

Shapes in comments: H W pixels, h w = H/8 W/8, N captions, S tokens (77), D text width (768 in SD
1.4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from toolkit.core.errors import DataSetError

from .prefetch import pixels_ahead
from .tensor_store import TensorStore, digest_of

if TYPE_CHECKING:
    from diffusers import AutoencoderKL
    from transformers import CLIPTextModel

# Called with (items done, items in all) after each one.
Progress = Callable[[int, int], None]


class Posterior(NamedTuple):
    """What the VAE says about one picture: a normal distribution for each latent, unscaled."""

    mean: Tensor  # (4, h, w) float32, on the CPU
    std: Tensor  # (4, h, w) float32, on the CPU


@runtime_checkable
class KeyedDataset(Protocol):
    """A dataset that can name an item's content without decoding its picture."""

    def content_key(self, idx: int) -> str | None:
        """Return a text that differs when pixel_values of item ``idx`` differ.

        None sends the cache to look at the pixel values themselves.
        """

    def caption_of(self, idx: int) -> str:
        """Return the caption of item ``idx``."""

    def name_of(self, idx: int) -> str:
        """Return what a person would call item ``idx``: its file."""


def encode_dataset(
    vae: AutoencoderKL,
    dataset: Dataset[tuple[Tensor, str]],
    folder: Path | None = None,
    progress: Progress | None = None,
) -> tuple[list[Posterior], list[str]]:
    """Pass each picture of a dataset through the VAE, unless that has been done before.

    Each picture goes alone: a batch would round differently with other neighbours, and an entry
    must not depend on which entries were there already.

    Args:
        vae: Frozen, in eval mode.
        dataset: Items ``(pixel_values (3, H, W) in [-1, 1], caption)``; H and W may differ. One
            that is a ``KeyedDataset`` is not decoded again for what is kept already, and asked by
            several threads for the rest.
        folder: Where latents are kept between runs; None for no such place.
        progress: Hears of each picture.

    Returns:
        One Posterior and one caption per item. Items with equal pixels share their tensors.

    Raises:
        DataSetError: Latents of a picture are not finite; the message names the file.
    """
    store = TensorStore(folder / "latents" if folder else None)
    model = model_hash(vae)
    items: Any = dataset  # torch's Dataset declares no __len__, but a map-style one has it
    total = len(items)
    keys, captions = [], []
    found: dict[str, dict[str, Tensor]] = {}
    missing: dict[str, int] = {}  # key -> the first item that has it

    def encode(key: str, pixel_values: Tensor, idx: int) -> None:
        found[key] = encode_picture(vae, pixel_values, name_of(dataset, idx))
        store.save(key, found[key])

    for idx in range(total):
        content, caption, pixel_values = content_of(dataset, items, idx)
        key = joined_hash(content, model)
        keys.append(key)
        captions.append(caption)
        if key not in found and key not in missing:
            kept = store.load(key)
            if kept is not None:
                found[key] = kept
            elif pixel_values is not None:
                # At once: nobody promised that asking for the item again gives the same pixels.
                encode(key, pixel_values, idx)
            else:
                missing[key] = idx
        if progress and missing.get(key) != idx:
            progress(idx + 1 - len(missing), total)
    ahead = pixels_ahead(items, list(missing.values()))
    for done, (key, pixel_values) in enumerate(zip(missing, ahead, strict=True), start=1):
        encode(key, pixel_values, missing[key])
        if progress:
            progress(total - len(missing) + done, total)
    return [Posterior(found[key]["mean"], found[key]["std"]) for key in keys], captions


def content_of(
    dataset: Dataset[tuple[Tensor, str]], items: Any, idx: int
) -> tuple[str, str, Tensor | None]:
    """Return what names an item's content, its caption, and its pixels if they had to be looked at.

    Args:
        dataset: The data set.
        items: The same, as something with an index.
        idx: Number of the item.
    """
    if isinstance(dataset, KeyedDataset):
        content = dataset.content_key(idx)
        if content is not None:
            return content, dataset.caption_of(idx), None
    pixel_values, caption = items[idx]  # (3, H, W)
    return digest_of({"pixel_values": pixel_values}), caption, pixel_values


@torch.no_grad()
def encode_picture(vae: AutoencoderKL, pixel_values: Tensor, name: str) -> dict[str, Tensor]:
    """Return mean and std (4, h, w) of one picture's latents.

    Args:
        vae: Frozen.
        pixel_values: (3, H, W), -1 to 1.
        name: Of the picture, for messages.

    Raises:
        DataSetError: They are not finite.
    """
    batch = pixel_values[None].to(vae.device, vae.dtype)  # (1, 3, H, W)
    posterior = vae.encode(batch).latent_dist
    mean, std = posterior.mean[0].float().cpu(), posterior.std[0].float().cpu()  # (4, h, w)
    if not bool(torch.isfinite(mean).all() and torch.isfinite(std).all()):
        if not bool(torch.isfinite(pixel_values).all()):
            fault, fix = "Its pixel values are not finite already.", "Mend the dataset's transform."
        else:
            fault = f"The VAE runs in {vae.dtype}."
            fix = "Run the VAE in float32; a picture with sane values can overflow float16."
        raise DataSetError(f"The latents of {name} are not finite. {fault}", where=name, fix=fix)
    return {"mean": mean, "std": std}


@torch.no_grad()
def encode_captions(
    text_encoder: CLIPTextModel, input_ids: Tensor, folder: Path | None = None
) -> Tensor:
    """Pass each caption through the text encoder, unless that has been done before.

    Args:
        text_encoder: Frozen, in eval mode.
        input_ids: Token ids, padded or cut to the tokenizer's length, (N, S).
        folder: Where embeddings are kept between runs; None for no such place.

    Returns:
        encoder_hidden_states (N, S, D), on the text encoder's device. Equal captions share memory
        only in the cache, not here.

    Raises:
        DataSetError: An embedding is not finite.
    """
    store = TensorStore(folder / "captions" if folder else None)
    model = model_hash(text_encoder)
    rows = []
    for number, ids in enumerate(input_ids):
        key = joined_hash(digest_of({"input_ids": ids}), model)
        found = store.load(key)
        if found is None:
            hidden = text_encoder(ids[None].to(text_encoder.device))[0]  # (1, S, D)
            if not bool(torch.isfinite(hidden).all()):
                raise DataSetError(
                    f"The embedding of caption {number + 1} is not finite.",
                    fix="Run the text encoder in float32, and check the base's weights.",
                )
            found = {"hidden": hidden[0]}  # (S, D)
            store.save(key, found)
        rows.append(found["hidden"].to(text_encoder.device))
    return torch.stack(rows)  # (N, S, D)


def model_hash(model: nn.Module) -> str:
    """Return a digest of a model's class, settings, weights, device and of torch's version."""
    config: Any = getattr(model, "config", {})
    settings = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    # _name_or_path, _diffusers_version and so on: where a model lies changes no figure.
    kept = {
        name: value
        for name, value in settings.items()
        if name[0] != "_" and name != "transformers_version"
    }
    parameter = next(model.parameters())
    return joined_hash(
        type(model).__name__,
        json.dumps(kept, sort_keys=True, default=str),
        digest_of(model.state_dict()),
        str(parameter.device.type),
        str(torch.__version__),
    )


def joined_hash(*parts: str) -> str:
    """Return the sha256 over several texts, as hex digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def name_of(dataset: object, idx: int) -> str:
    """Return what a person would call an item."""
    return dataset.name_of(idx) if isinstance(dataset, KeyedDataset) else f"item {idx}"
