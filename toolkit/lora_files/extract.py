"""Make a LoRA out of what was trained in full: of a delta, or the difference of two models.

Each layer's difference is cut to its largest singular values. How much that leaves out is measured,
and what a LoRA cannot hold at all (biases, norms, embeddings) is counted with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from toolkit.core.errors import HubError

from .factors import decompose, layer_from_svd, rank_for
from .layout import Layout, sd1_layout
from .memory import Lora, LoraLayer
from .resize import check_size
from .weights import open_weights


@dataclass(frozen=True)
class Extracted:
    """A LoRA made from a difference, and how near it comes.

    Args:
        lora: The LoRA.
        relative_error: ||difference - LoRA|| / ||difference||, over all layers that it holds.
        left_out: Parameters that changed and that no LoRA holds: biases, norms, embeddings.
        left_out_share: Their share of the whole difference's norm.
    """

    lora: Lora
    relative_error: float
    left_out: tuple[str, ...]
    left_out_share: float


def extract_lora(
    deltas: Iterable[tuple[str, Tensor]],
    rank: int | None = None,
    energy: float | None = None,
    layout: Layout | None = None,
) -> Extracted:
    """Approximate weight differences by a LoRA.

    Args:
        deltas: Parameter name (`unet.conv_in.weight`) and difference, one at a time.
        rank: At most so many singular values in each layer.
        energy: In each layer as few as make up this share of its squared norm, above 0 to 1.
        layout: The layers that exist; None means Stable Diffusion 1.x.

    Raises:
        UsageError: Neither rank nor energy is given, or out of range.
        HubError: Nothing changed in any layer, or a difference of another shape than its layer.
    """
    check_size(rank, energy)
    layout = layout or sd1_layout()
    layers: dict[str, LoraLayer] = {}
    left_out, lost, held, missed = [], 0.0, 0.0, 0.0
    for parameter, delta in deltas:
        squared = float(delta.double().square().sum())
        if squared == 0:
            continue
        layer = parameter.removesuffix(".weight")
        shape = layout.layers.get(layer) if layer != parameter else None
        if shape is None:
            left_out.append(parameter)
            missed += squared
            continue
        kernel = (shape.kernel, shape.kernel) if shape.is_conv else ()
        wanted = (shape.out_features, shape.in_features, *kernel)
        if tuple(delta.shape) != wanted:
            raise HubError(
                f"{parameter} has the shape {tuple(delta.shape)}; this base's is {wanted}.",
                fix="Give the folder of the base that it was trained on with --base.",
            )
        u, s, v = decompose(delta)
        keep = rank_for(s, rank, energy)
        layers[layer] = layer_from_svd(u[:, :keep], s[:keep], v[:, :keep], tuple(delta.shape))
        held += squared
        # Against what is written, not against the singular values: this is what one gets.
        lost += float((layers[layer].delta() - delta.double()).square().sum())
    if not layers:
        raise HubError(
            "No linear layer or convolution differs: there is nothing to make a LoRA of.",
            fix="Compare a base with a model that was fine-tuned from it.",
        )
    error = math.sqrt(lost / held)
    note = json.dumps({"rank": rank, "energy": energy, "relative_error": float(f"{error:.3e}")})
    share = math.sqrt(missed / (held + missed))
    return Extracted(Lora(layers, {"hub.extract": note}), error, tuple(sorted(left_out)), share)


def read_deltas(
    source: Path, tuned: Path | None, progress: Callable[[int, int], None] | None = None
) -> Iterable[tuple[str, Tensor]]:
    """Yield parameter differences, one at a time.

    Args:
        source: A file of differences when ``tuned`` is None, otherwise the base model.
        tuned: The fine-tuned model.
        progress: Called with how many are done, and of how many.

    Raises:
        HubError: The two models have different parameters or shapes.
    """
    with ExitStack() as stack:
        base = stack.enter_context(open_weights(source))
        other = base if tuned is None else stack.enter_context(open_weights(tuned))
        common = sorted(base.names & other.names)
        # Only a part that one side lacks altogether (a U-Net alone) is no mistake.
        parts = {name.partition(".")[0] for name in common}
        odd = [n for n in sorted(base.names ^ other.names) if n.partition(".")[0] in parts]
        if odd or not common:
            raise HubError(
                f"The two models differ in {len(odd) or 'all'} parameters, first in "
                f"{(odd or sorted(base.names))[0]}: they are not of one architecture.",
                where=f"{source} and {tuned}",
            )
        for number, name in enumerate(common, start=1):
            delta = other.read(name)
            if tuned is not None:
                before = base.read(name)
                if before.shape != delta.shape:
                    raise HubError(
                        f"{name} is {tuple(before.shape)} in the base and {tuple(delta.shape)} in "
                        "the other model.",
                        where=f"{source} and {tuned}",
                    )
                delta = delta - before
            yield name, delta
            if progress is not None:
                progress(number, len(common))
