"""What a training changed in its base: by layer, and what no LoRA can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from harness.runs.export.source import Source
from toolkit.core.errors import HubError
from toolkit.deltas.file import PARTS, read_delta
from toolkit.drawings.loras import layout_of
from toolkit.lora_files.layout import TEXT_ENCODER, Layout
from toolkit.lora_files.memory import Lora
from toolkit.lora_files.names import TEXT_MODEL
from toolkit.lora_files.read import read_lora

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


@dataclass(frozen=True)
class Change:
    """What was trained.

    Args:
        layers: Layer by its LoRA name (``unet.conv_in``) -> change of its weight, float32.
        others: Parameter (``unet.conv_in.bias``) -> its change: biases, norms, embeddings.
        layout: The layers that the base has.
        lora: The LoRA that it is, where the training left one.
    """

    layers: dict[str, Tensor]
    others: dict[str, Tensor]
    layout: Layout
    lora: Lora | None = None

    @property
    def others_share(self) -> float:
        """Return the norm of what no LoRA holds, as a share of the whole change's norm."""
        held, missed = (
            sum(float(delta.double().square().sum()) for delta in group.values())
            for group in (self.layers, self.others)
        )
        return math.sqrt(missed / (held + missed)) if held + missed else 0.0


def read_change(source: Source, pipeline: StableDiffusionPipeline) -> Change:
    """Read what was trained, checked against the base before a tensor is used.

    Raises:
        HubError: The file does not fit the base, or nothing was changed.
    """
    layout = layout_of(pipeline)
    if source.delta is None:
        if source.lora is None:
            raise HubError("There is neither a delta nor a LoRA.", where=str(source.folder))
        lora = read_lora(source.lora, layout)
        layers = {name: layer.delta().float() for name, layer in lora.layers.items()}
        return Change(layers, {}, layout, lora)
    models: dict[str, nn.Module] = {part: getattr(pipeline, part) for part in PARTS}
    found = read_delta(source.delta, models)
    layers, others = {}, {}
    for part, tensors in found.items():
        for name, delta in tensors.items():
            layer = lora_name(part, name.removesuffix(".weight"))
            if name.endswith(".weight") and layer in layout.layers:
                layers[layer] = delta
            else:
                others[f"{part}.{name}"] = delta
    if not layers and not others:
        raise HubError(
            "Training changed nothing: the base is as it was.",
            where=str(source.delta),
            fix="Train longer, or with a higher learning rate.",
        )
    return Change(layers, others, layout)


def lora_name(part: str, module: str) -> str:
    """Return the name that LoRA files use for a module of the base."""
    if part == TEXT_ENCODER:  # transformers 5.6 dropped text_model from its names
        module = TEXT_MODEL + module.removeprefix(TEXT_MODEL)
    return f"{part}.{module}"


def module_of(pipeline: StableDiffusionPipeline, layer: str) -> nn.Module:
    """Return the module of the base that a LoRA's layer corrects."""
    part, _, path = layer.partition(".")
    model = getattr(pipeline, part)
    if not hasattr(model, TEXT_MODEL.rstrip(".")):
        path = path.removeprefix(TEXT_MODEL)
    module: nn.Module = model.get_submodule(path)
    return module


def weight_of(pipeline: StableDiffusionPipeline, layer: str) -> Tensor:
    """Return the weight of a layer, (out, in) or (out, in, k, k)."""
    weight = module_of(pipeline, layer).weight
    if not isinstance(weight, Tensor):
        raise HubError(f"{layer} has no weight of its own any more.")
    return weight.detach()
