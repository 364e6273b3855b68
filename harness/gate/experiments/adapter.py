"""make_lora alone: is the adapter in the model, does it act, can it be taken out and put back?"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.gate.experiments.context import Context, attach, perturb
from harness.gate.spies import Spy
from toolkit.core.errors import DeltaError
from toolkit.deltas.probing import effective_delta, relative_error


@dataclass
class AdapterSeen:
    """What the experiment saw."""

    trainable: int  # tensors
    unregistered: tuple[str, ...]  # trainable tensors of the adapter that are in no model
    frozen_inside: tuple[str, ...]  # parameters of the adapter that are not trainable
    parameters: int
    base_parameters: int
    identity_error: float  # relative change of the U-Net's output by attaching
    effect: float  # relative change of the output after moving the adapter
    text_effect: float
    repeatable: bool
    round_trip_error: float | None  # None when load_state_dict raised
    round_trip_fault: str
    affine_fault: str
    finite: bool


@torch.no_grad()
def run(context: Context) -> AdapterSeen:
    """Attach to a tiny model, move the adapter, put its state into a fresh one."""
    spy = Spy(context.finder)
    clean, live = context.workshop.tiny(spy), context.workshop.tiny(spy)
    with torch.enable_grad():
        adapter = attach(context, live)
    for model in (live.unet, live.text_encoder, live.vae, adapter):
        model.eval()
    models = {
        id(p): f"{part}.{name}"
        for part in ("unet", "text_encoder", "vae")
        for name, p in getattr(live, part).named_parameters()
    }
    own = dict(adapter.named_parameters())
    before, before_text = answers(clean)
    attached, attached_text = answers(live)
    trainable = [p for p in adapter.parameters() if p.requires_grad]
    perturb(adapter, 0.5)
    moved, moved_text = answers(live)
    state = {key: value.clone() for key, value in copy.deepcopy(adapter.state_dict()).items()}
    again_error, fault = round_trip(context, state, moved)
    return AdapterSeen(
        trainable=len(trainable),
        unregistered=tuple(n for n, p in own.items() if p.requires_grad and id(p) not in models),
        frozen_inside=tuple(n for n, p in own.items() if not p.requires_grad),
        parameters=sum(p.numel() for p in trainable),
        base_parameters=sum(p.numel() for p in clean.unet.parameters()),
        identity_error=max(
            relative_error(attached, before), relative_error(attached_text, before_text)
        ),
        effect=relative_error(moved, attached),
        text_effect=relative_error(moved_text, attached_text),
        repeatable=bool(torch.equal(moved, answers(live)[0])),
        round_trip_error=again_error,
        round_trip_fault=fault,
        affine_fault=affine_fault(clean, live),
        finite=all(bool(t.isfinite().all()) for t in state.values() if t.is_floating_point()),
    )


def answers(pipeline: object) -> tuple[Tensor, Tensor]:
    """Return what U-Net and text encoder say to a fixed question."""
    unet, text_encoder = pipeline.unet, pipeline.text_encoder  # type: ignore[attr-defined]
    generator = torch.Generator().manual_seed(1)
    sample = torch.randn(2, 4, 8, 8, generator=generator)  # (B, 4, h, w)
    length = text_encoder.config.max_position_embeddings
    ids = torch.randint(text_encoder.config.vocab_size, (2, length), generator=generator)
    text: Tensor = text_encoder(ids)[0]  # (B, S, D)
    out: Tensor = unet(sample, torch.tensor([50, 700]), text, return_dict=False)[0]
    return out.float(), text.float()


def round_trip(
    context: Context, state: dict[str, Tensor], wanted: Tensor
) -> tuple[float | None, str]:
    """Put a state into an adapter made anew, with other random numbers, and compare answers."""
    again = context.workshop.tiny(Spy(context.finder))
    with torch.enable_grad():
        adapter = attach(context, again, seed=4)
    for model in (again.unet, again.text_encoder, adapter):
        model.eval()
    try:
        result = adapter.load_state_dict(state)
    except Exception as error:  # a stranger's load_state_dict may raise anything
        return None, f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    missing = [*getattr(result, "missing_keys", ()), *getattr(result, "unexpected_keys", ())]
    fault = f"keys do not fit: {', '.join(missing[:3])}" if missing else ""
    return relative_error(answers(again)[0], wanted), fault


def affine_fault(clean: object, live: object) -> str:
    """Return why the changed layers cannot be written as new weights of the base, or nothing."""
    try:
        for part in ("unet", "text_encoder"):
            effective_delta(getattr(clean, part), getattr(live, part))
    except DeltaError as error:
        return error.what
    return ""
