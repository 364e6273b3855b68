"""A LoRA in memory: the one form that all formats are read into and written from.

    h = W x + (alpha / r) up(down(x))

Shapes: `r` rank, `in out` widths, `k` kernel of a convolution.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from toolkit.core.errors import HubError

from .layout import LayerShape
from .names import Source


@dataclass(frozen=True, eq=False)
class LoraLayer:
    """The correction of one layer, float32 on the CPU.

    Args:
        down: (r, in), or (r, in, k, k) when the layer is a convolution.
        up: (out, r), or (out, r, 1, 1).
        alpha: The correction is multiplied by alpha / r.
    """

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        """The inner width r."""
        return self.down.shape[0]

    @property
    def kind(self) -> str:
        """Say linear or conv; a 1x1 convolution is conv, for its weights are 4-D."""
        return "conv" if self.down.ndim == 4 else "linear"

    @property
    def scale(self) -> float:
        """What up(down(x)) is multiplied by."""
        return self.alpha / self.rank

    def delta(self) -> Tensor:
        """Return what the LoRA adds to the layer's weight, in float64.

        Returns:
            (out, in), or (out, in, k, k).
        """
        product = self.up.double().flatten(1) @ self.down.double().flatten(1)  # (out, in * k * k)
        return product.reshape(self.up.shape[0], *self.down.shape[1:]) * self.scale


@dataclass(frozen=True, eq=False)
class Lora:
    """A whole LoRA.

    Args:
        layers: Name (`unet.…` or `text_encoder.text_model.…`) -> correction, sorted by name.
        metadata: The text entries of the file it came from.
        source: The format that it was read from; empty when it was computed.
        dtypes: The types of its tensors in the file, as safetensors calls them.
        alpha_stated: Whether the file said its alphas; without them alpha is the rank.
        embeddings: Trained words that lie beside the LoRA in one file, as OneTrainer bundles them:
            key (`bundle_emb.WORD.clip_l`) -> tensor, as it is in the file.
    """

    layers: dict[str, LoraLayer]
    metadata: dict[str, str] = field(default_factory=dict)
    source: Source | Literal[""] = ""
    dtypes: tuple[str, ...] = ()
    alpha_stated: bool = True
    embeddings: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", dict(sorted(self.layers.items())))

    def words(self) -> list[str]:
        """Return the words whose embeddings lie beside the LoRA."""
        return sorted({key.split(".")[1] for key in self.embeddings})

    def ranks(self) -> Counter[int]:
        """Count the layers of each rank."""
        return Counter(layer.rank for layer in self.layers.values())

    def alphas(self) -> Counter[float]:
        """Count the layers of each alpha."""
        return Counter(layer.alpha for layer in self.layers.values())


def assemble_layer(
    name: str, down: Tensor, up: Tensor, alpha: float, shape: LayerShape
) -> LoraLayer:
    """Bring the two factors to the form that the layer asks for.

    Some trainers save the factors of a 1x1 convolution as matrices, or those of a linear layer with
    two ones behind; both mean the same and are brought to one form here.

    Args:
        name: For messages.
        down: (r, in) or (r, in, k, k).
        up: (out, r) or (out, r, 1, 1).
        alpha: The numerator of the scale.
        shape: Whether the layer is a convolution, and its kernel.

    Raises:
        HubError: The factors do not fit each other or the layer.
    """
    kernel = (shape.kernel, shape.kernel)
    if shape.is_conv:
        if down.ndim == 2 and kernel == (1, 1):
            down = down[:, :, None, None]  # (r, in, 1, 1)
        if up.ndim == 2:
            up = up[:, :, None, None]  # (out, r, 1, 1)
    else:
        if down.shape[2:] == (1, 1):
            down = down.flatten(1)  # (r, in)
        if up.shape[2:] == (1, 1):
            up = up.flatten(1)  # (out, r)
    wanted = 4 if shape.is_conv else 2
    fits = down.ndim == up.ndim == wanted and down.shape[0] == up.shape[1] > 0
    if shape.is_conv:
        fits = fits and down.shape[2:] == kernel and up.shape[2:] == (1, 1)
    if not fits or 0 in (*down.shape, *up.shape):
        kind = f"{shape.kernel}x{shape.kernel} convolution" if shape.is_conv else "linear layer"
        raise HubError(
            f"The factors of {name} have the shapes {tuple(down.shape)} and {tuple(up.shape)}: "
            f"they are no LoRA of a {kind}."
        )
    return LoraLayer(down.contiguous(), up.contiguous(), alpha)
