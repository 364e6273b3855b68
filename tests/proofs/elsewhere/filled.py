"""Files of contributions at SD 1.4's shapes: their own adapter, filled with random numbers.

A contribution's ``make_lora`` attaches its adapter to the wide base; every number that it would
train gets a random one added, large enough that each method changes its layers visibly. What that
changes is found, fitted and written by the code behind `nox -s export`. Nothing is trained: which
numbers a file holds is nothing to the program that reads it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionPipeline
from torch import nn

from harness import paths
from harness.contributions import registry
from harness.protocol.track_file import Sampling
from harness.runs.export.change import Change, lora_name, weight_of
from harness.runs.export.plain import plain_lora
from harness.runs.export.run import Wish, refuse_loss
from harness.runs.export.shrink import shrunk
from harness.runs.export.writing import write_export
from harness.worker.fresh_copy import fresh_copy, seed_everything
from harness.worker.hooks import load_hooks
from harness.worker.jobs import ADAPTER_FILE
from harness.worker.save_adapter import save_adapter
from toolkit.core.errors import HubError
from toolkit.deltas.file import PARTS
from toolkit.deltas.probing import effective_delta
from toolkit.drawings.loras import layout_of

from .trained import FILES
from .wide import SPREAD, one_of_each_kind, one_of_each_shape

FOLDER: Final = paths.RUNS / "elsewhere_sd14"
ABOUT: Final = "about.json"
# Of what is no plain LoRA. 5 % of a random base's change would be nearly full rank.
RANK: Final = 16
# Standard deviations to fill with, and the change of a layer's weight that is large enough: of a
# smaller one, float32 rounds too much away in the sum with the weight.
SPREADS: Final = (SPREAD, 10 * SPREAD, 100 * SPREAD)
LEAST: Final = 0.005


def files_of(name: str, base: StableDiffusionPipeline) -> tuple[dict[str, Path], dict[str, Any]]:
    """Return a contribution's files by format, and what is known about them.

    Returns:
        The files; and ``made`` (how they were made), ``layers`` and ``said`` (why there is none).
    """
    one = registry.load_any(name)
    folder = FOLDER / name / one.content_hash.removeprefix("sha256:")[:12]
    if not (folder / ABOUT).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            about = made(name, folder, base)
        except HubError as error:
            about = {"made": "", "layers": 0, "said": error.what}
        (folder / ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")
    found = {form: folder / file for form, file in FILES.items() if (folder / file).exists()}
    return found, json.loads((folder / ABOUT).read_text(encoding="utf-8"))


def made(name: str, folder: Path, base: StableDiffusionPipeline) -> dict[str, Any]:
    """Attach, fill and export one contribution's adapter.

    Raises:
        HubError: It cannot be exported as a LoRA; the message is the export's.
    """
    for spread in SPREADS:
        adapter, change = filled(name, base, spread)
        if size_of(change, base) >= LEAST:
            break
    save_adapter(adapter, folder / ADAPTER_FILE, {})
    wish = Wish("kohya", folder, RANK, 0.05, "fp32", False, False, Sampling(), ())
    refuse_loss(change, wish)
    lora = plain_lora(change, folder / ADAPTER_FILE, base)
    how = "its own factors" if lora else f"singular values, rank {RANK}"
    if lora is None:
        few = {name: change.layers[name] for name in one_of_each_shape(change.layers)}
        lora = shrunk(replace(change, layers=few), RANK)
    for form, file in FILES.items():
        note = {"contribution": name, "resolution": 512, "made": how}
        write_export(lora, folder / file, form, "fp32", note)  # type: ignore[arg-type]
    (folder / ADAPTER_FILE).unlink()
    return {"made": how, "layers": len(lora.layers), "said": ""}


def filled(name: str, base: StableDiffusionPipeline, spread: float) -> tuple[nn.Module, Change]:
    """Return a contribution's adapter with a random number added to every number that it trains."""
    contribution, reference = registry.load_any(name), registry.load_reference()
    pipeline = fresh_copy(base)
    hooks = load_hooks(contribution, reference)
    seed_everything(1)
    adapter = hooks.call("make_lora", pipeline=pipeline, config=contribution.file.settings.lora)
    with torch.no_grad():
        for parameter in adapter.parameters():
            if parameter.requires_grad:
                parameter.add_(spread * torch.randn_like(parameter))
    return adapter, change_of(base, pipeline)


def size_of(change: Change, base: StableDiffusionPipeline) -> float:
    """Return the smallest layer's change, relative to its weight; 1 when no layer changed."""
    sizes = (
        float(delta.norm()) / float(weight_of(base, name).norm())
        for name, delta in change.layers.items()
    )
    return min(sizes, default=1.0)


def change_of(base: StableDiffusionPipeline, pipeline: StableDiffusionPipeline) -> Change:
    """Return what an adapter changes in the layers of real width, and in what is no layer."""
    layout, kinds = layout_of(base), set(one_of_each_kind())
    layers, others = {}, {}
    for part in PARTS:
        live = getattr(pipeline, part).eval()
        for name, delta in effective_delta(getattr(base, part), live).items():
            layer = lora_name(part, name.removesuffix(".weight"))
            if not name.endswith(".weight") or layer not in layout.layers:
                others[f"{part}.{name}"] = delta
            elif layer in kinds:
                layers[layer] = delta
    return Change(layers, others, layout)


def remove(name: str) -> None:
    """Remove a contribution's files: they are made again in seconds, and large."""
    shutil.rmtree(FOLDER / name, ignore_errors=True)
