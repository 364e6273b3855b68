"""Strengths and modes in which the U-Net is called."""

from __future__ import annotations

from harness.gate.experiments.drawing_measures.studio import Drawn, Studio
from harness.gate.profile.property import Values
from toolkit.core.errors import HubError


def scales_of(drawn: Drawn) -> str | None:
    """Return the strengths that the adapter had in the U-Net's calls."""
    return ", ".join(sorted(drawn.sketcher.scales)) or None


def asked_scale(studio: Studio, scale: float) -> str | None:
    """Return the same where another strength is asked for."""
    if not studio.can_be_scaled:
        return None
    try:
        return scales_of(studio.draw(lora_scale=scale, count=1, num_inference_steps=1))
    except HubError:
        return "it is refused"


def mode(drawn: Drawn) -> Values:
    """In which mode the U-Net draws when it was handed over in training mode."""
    calls = drawn.sketcher.calls
    share = sum(call.training for call in calls) / len(calls) if calls else None
    with_grad = sum(call.grad_enabled for call in calls) / len(calls) if calls else None
    return {"share of calls in training mode": share, "share of calls with gradients": with_grad}
