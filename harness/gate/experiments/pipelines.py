"""A cheap text encoder, and the state of a pipeline in words; for all groups of the profile."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel

from harness.gate.audit import Attribute, global_state

if TYPE_CHECKING:
    from harness.gate.experiments.context import Context


def small_text_encoder(context: Context) -> CLIPTextModel:
    """Return a random text encoder of the base's kind and length, so small that it costs nothing.

    The U-Net's stand-in takes any width.
    """
    if "small text encoder" not in context.shared:
        config = copy.deepcopy(context.workshop.base.text_encoder.config)
        small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 1}
        config.update({**small, "num_hidden_layers": 1, "projection_dim": 16})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            context.shared["small text encoder"] = CLIPTextModel(config).eval()
    model: CLIPTextModel = context.shared["small text encoder"]
    return model


@torch.no_grad()
def embedded(pipeline: Any, captions: list[str]) -> Tensor:
    """Return what the pipeline's text encoder makes of captions now, (n, S, D)."""
    ids = pipeline.tokenizer(
        captions, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    hidden: Tensor = pipeline.text_encoder(ids)[0].float()
    return hidden


def whole(ids: Tensor, end: int) -> tuple[int, ...]:
    """Return the tokens of a text (S,) up to its end: how it is padded does not count."""
    found = ids.tolist()
    return tuple(found[: found.index(end)] if end in found else found)


def tokens_of(pipeline: Any, captions: list[str]) -> list[tuple[int, ...]]:
    """Return the tokens of captions, without what they are padded with."""
    end = pipeline.tokenizer.eos_token_id
    ids = pipeline.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
    return [whole(row, end) for row in ids.input_ids]


def encoded_texts(pipeline: Any) -> list[tuple[int, ...]]:
    """Return a list that fills with the tokens of each text that is encoded from now on."""
    seen: list[tuple[int, ...]] = []
    end = pipeline.tokenizer.eos_token_id

    def note(_module: nn.Module, args: Any, kwargs: Any) -> None:
        ids = args[0] if args else kwargs.get("input_ids")
        if isinstance(ids, Tensor) and ids.dim() == 2 and not ids.is_floating_point():
            seen.extend(whole(row, end) for row in ids)

    pipeline.text_encoder.register_forward_pre_hook(note, with_kwargs=True)
    return seen


def state_of(pipeline: Any, adapter: nn.Module) -> dict[str, str]:
    """Return flags, settings and weights that a training or a drawing must leave as they were."""
    own = {id(p) for p in adapter.parameters()}
    scheduler = pipeline.scheduler
    found = {
        "the scheduler": type(scheduler).__name__,
        "the scheduler's settings": str(copy.copy(scheduler.config)),
        "the scheduler's betas": checksum([scheduler.betas, scheduler.alphas_cumprod]),
    }
    for part in ("unet", "vae", "text_encoder"):
        model: nn.Module = getattr(pipeline, part)
        # Of an adapter's own modules the mode may be either: they are new.
        found[f"mode of the {part}"] = "training" if model.training else "eval"
        grads = sum(p.requires_grad for p in model.parameters())
        found[f"trainable parameters of the {part}"] = str(grads)
        found[f"weights of the {part}"] = checksum(
            [p for p in model.parameters() if id(p) not in own]
        )
        hooks = sum(
            len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
            for m in model.modules()
        )
        found[f"hooks on the {part}"] = str(hooks)
    found |= attributes(pipeline, adapter)
    trained = sum(p.requires_grad for p in adapter.parameters())
    found["trainable parameters of the adapter"] = str(trained)
    scales = sorted({str(m.lora_scale) for m in adapter.modules() if hasattr(m, "lora_scale")})
    found["lora_scale"] = ", ".join(scales)
    state = global_state()
    return found | {n: str(v) for n, v in state.items() if not isinstance(v, Attribute)}


PLAIN = (bool, int, float, str, type(None))
TORCHS_OWN = frozenset(vars(nn.Module()))


def attributes(pipeline: Any, adapter: nn.Module) -> dict[str, str]:
    """Return what is kept on the models, the adapter, the scheduler and the tokenizer, by name.

    Of the base's modules the plain values count, too, but not what a library keeps under a name
    with an underscore; an adapter's own may count its steps.
    """
    own = {id(module) for module in adapter.modules()}
    found: dict[str, str] = {}
    for part in ("unet", "vae", "text_encoder"):
        for name, module in getattr(pipeline, part).named_modules():
            if id(module) not in own and not type(module).__module__.startswith("harness."):
                found |= {
                    ".".join(filter(None, (part, name, key))): worded(value)
                    for key, value in vars(module).items()
                    if not key.startswith("_") and key != "lora_scale"
                }
    for name, module in adapter.named_modules():
        for key in vars(module).keys() - TORCHS_OWN:
            found[".".join(filter(None, ("adapter", name, key)))] = "there"
    tokenizer = pipeline.tokenizer
    for key in ("truncation_side", "padding_side", "model_max_length", "pad_token"):
        found[f"tokenizer.{key}"] = str(getattr(tokenizer, key))
    return found


def worded(value: object) -> str:
    """Return a plain value, or of any other that it is there."""
    return str(value) if isinstance(value, PLAIN) else "there"


def changed(before: dict[str, str], after: dict[str, str]) -> str:
    """Say what is other afterwards, five things at most; "nothing" if nothing is."""
    found = []
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name, "not there"), after.get(name, "not there")
        if was != now:
            found.append(f"{name}: {was} before, {now} after")
    more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
    return "; ".join(found[:MOST]) + more or "nothing"


MOST = 5  # changes that are told


def checksum(tensors: list[Tensor]) -> str:
    """Return a few digits of the sum of squares: another one when a number has changed."""
    return f"{sum(float(t.detach().double().square().sum()) for t in tensors):.12g}"
