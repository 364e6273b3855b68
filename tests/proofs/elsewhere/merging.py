"""Merge our files with a program, and compare each layer's weight with what the hub computes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file
from torch import Tensor

from toolkit.drawings.loras import layout_of
from toolkit.lora_files.read import read_lora

from .base import copied, weights_of
from .consumers import Consumer, Merge, RefusedError
from .results import Consumed

# Relative to the change: float32 sums in another order stay near 1e-6.
TOLERANCE: Final = 1e-5
# What rounding adds, relative to the weight that the change is added to.
ROUNDING: Final = 2e-7
STRENGTHS: Final = (1.0, 0.5, 0.0, -0.5)
# With a second file added: the strength of the first and of the second.
TOGETHER: Final = (0.75, -0.5)
FAILED: Final = 200  # characters of a message


@dataclass(frozen=True)
class Ours:
    """One file of ours in one format.

    Args:
        path: File or folder.
        deltas: The change of each layer as the hub reads it, float32.
        tensors: How many tensors it holds.
        digest: A hash of their names and values.
    """

    path: Path
    deltas: dict[str, Tensor]
    tensors: int
    digest: str


def ours(path: Path, base: StableDiffusionPipeline) -> Ours:
    """Read a file as the hub does."""
    lora = read_lora(path, layout_of(base))
    deltas = {name: layer.delta().float() for name, layer in lora.layers.items()}
    tensors = tensors_in(path)
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].contiguous().numpy().tobytes())
    return Ours(path, deltas, len(tensors), digest.hexdigest()[:12])


def tensors_in(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, or of all files in a folder."""
    if not path.is_dir():
        return load_file(path)
    files = sorted(path.rglob("*.safetensors"))
    return {f"{one.parent.name}/{key}": t for one in files for key, t in load_file(one).items()}


def tried(
    found: Consumed, consume: Consumer, base: StableDiffusionPipeline, first: Ours, second: Ours
) -> Consumed:
    """Merge a file at four strengths, and once with a second one, with a program.

    Args:
        found: What it is about; filled and returned.
        consume: The program.
        base: To be merged into; it stays as it is.
        first: The file.
        second: The other file.
    """
    found.keys, found.layers, found.tensors = first.tensors, len(first.deltas), first.digest
    walks: list[tuple[str, list[tuple[Ours, float]]]] = [
        (f"{strength:g}", [(first, strength)]) for strength in STRENGTHS
    ]
    walks.append(("two", list(zip((first, second), TOGETHER, strict=True))))
    known: set[str] = set()
    for name, files in walks:
        try:
            skipped = walk(found, name, consume, base, files)
        except RefusedError as error:
            return found.model_copy(update={"outcome": "refused", "said": str(error)[:FAILED]})
        except Exception as error:  # another program's code may raise anything
            said = f"{type(error).__name__}: {error}"[:FAILED]
            return found.model_copy(update={"outcome": "fails", "said": f"{name}: {said}"})
        if not found.used and name == "1":
            # The program takes nothing of the file, without a word: so do the other walks.
            return found.model_copy(update={"outcome": "nothing", "errors": {}})
        known = skipped if name == "1" else known
        if any(strength for _, strength in files) and skipped != known:
            odd = sorted(skipped ^ known)[0]
            return found.model_copy(update={"outcome": "differs", "said": f"{name}: {odd}"})
    return found


def walk(
    found: Consumed,
    name: str,
    consume: Consumer,
    base: StableDiffusionPipeline,
    files: list[tuple[Ours, float]],
) -> set[str]:
    """Merge some files once, and note how far each layer is from what it ought to be.

    Returns:
        The layers that the program left as they were.
    """
    before = weights_of(base, copy=False)
    wanted: dict[str, Tensor] = {}
    for file, strength in files:
        for layer, delta in file.deltas.items():
            part = strength * delta
            wanted[layer] = wanted[layer].add_(part) if layer in wanted else part
    changed = copied(base, wanted)
    merges: list[Merge] = [(file.path, strength) for file, strength in files]
    used = consume(merges, changed)
    after = weights_of(changed, copy=False)
    # A layer that the program knows nothing of is as it was.
    skipped = {n for n in wanted if torch.equal(after[n], before[n])}
    if name == "1":
        found.used, found.skipped = used, len(skipped)
        found.skipped_first = next((n for n in wanted if n in skipped), "")
    own = files[0][0].deltas
    worst, odd = compared(before, after, wanted, own, skipped)
    found.errors[name] = float(f"{worst:.3g}")
    # What is shared with the base is looked at when all programs are through.
    apart = [n for n in before if n not in wanted and after[n].data_ptr() != before[n].data_ptr()]
    others = [n for n in apart if not torch.equal(after[n], before[n])]
    if (odd or others) and found.outcome == "same":
        found.outcome, found.said = "differs", f"{name}: {(odd or others)[0]}"
    return skipped


def compared(
    before: dict[str, Tensor],
    after: dict[str, Tensor],
    wanted: dict[str, Tensor],
    sizes: dict[str, Tensor],
    skipped: Iterable[str],
) -> tuple[float, list[str]]:
    """Return the largest relative difference, and the layers where it is more than rounding."""
    worst, odd = 0.0, []
    for layer, change in wanted.items():
        if layer in skipped:
            continue
        size = float(sizes.get(layer, change).norm())
        error = float((after[layer] - before[layer] - change).norm())
        slack = ROUNDING * float(before[layer].norm())
        worst = max(worst, error / max(size, 1e-12))
        if error > TOLERANCE * size + slack:
            odd.append(layer)
    return worst, odd
