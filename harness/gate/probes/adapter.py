"""What make_lora returns, before any training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.adapter import AdapterSeen

probe = probes_of("adapter", "make_lora", owners=("make_lora",))


@probe(
    "HUB-C03",
    "The adapter is not part of the model",
    calls=("register_forward_hook", "forward", "setattr"),
)
def adapter_registered(seen: AdapterSeen) -> Iterator[Symptom]:
    """The adapter is part of the model: its parameters are the model's parameters."""
    if seen.unregistered:
        yield Symptom(
            f"{len(seen.unregistered)} of {seen.trainable} trainable tensors of the adapter are in "
            f"neither pipeline.unet nor pipeline.text_encoder: {', '.join(seen.unregistered[:3])}."
        )


STILL = 1e-4  # relative change of the output when every tensor is moved by half its size


@probe(
    "HUB-C04", "The adapter is never called", calls=("setattr", "register_forward_hook", "forward")
)
def adapter_acts(seen: AdapterSeen) -> Iterator[Symptom]:
    """Moving the adapter moves what the model says."""
    effect = max(seen.effect, seen.text_effect)
    if not effect > STILL:
        yield Symptom(
            f"After every one of {seen.trainable} trainable tensors was moved, the U-Net's answer "
            f"changed by {seen.effect:.1e} (relative)."
        )


EXACT = 1e-4  # relative


@probe(
    "HUB-C18",
    "The saved adapter does not bring the model back",
    calls=("state_dict", "register_buffer", "load_state_dict"),
    because=("HUB-C03",),
)
def round_trip(seen: AdapterSeen) -> Iterator[Symptom]:
    """The adapter's state_dict, loaded into a fresh one, brings the model back."""
    if seen.round_trip_error is None:
        yield Symptom(f"load_state_dict of a fresh adapter raised {seen.round_trip_fault}")
    elif seen.round_trip_fault:
        yield Symptom(f"The state of one adapter does not fit the next: {seen.round_trip_fault}.")
    elif not seen.round_trip_error <= EXACT:
        yield Symptom(
            "A fresh base with the saved adapter answers differently from the model it was saved "
            f"from: by {seen.round_trip_error:.1e} (relative), allowed {EXACT:.0e}."
        )


@probe(
    "HUB-C19",
    "The adapter holds more than an adapter",
    exemptible=True,
    calls=("return", "ModuleList", "ModuleDict"),
)
def adapter_contents(seen: AdapterSeen) -> Iterator[Symptom]:
    """What is saved is an adapter: small, finite, and nothing but the adapter."""
    if seen.frozen_inside:
        yield Symptom(
            f"The returned module holds {len(seen.frozen_inside)} frozen parameters: "
            f"{', '.join(seen.frozen_inside[:3])}.",
            severity="error" if len(seen.frozen_inside) > seen.trainable else "hint",
        )
    if not seen.finite:
        yield Symptom("The adapter holds NaN or infinity.", meaning="The pictures will be black.")
    if seen.parameters >= seen.base_parameters:
        yield Symptom(
            f"The adapter has {seen.parameters:,} trainable parameters, the tiny U-Net it adapts "
            f"{seen.base_parameters:,}.",
            severity="hint",
            meaning="That is no longer a small file beside the base.",
            fix="Lower the rank, or adapt fewer layers.",
        )


@probe(
    "HUB-C20",
    "The untrained adapter changes the base",
    exemptible=True,
    calls=("zeros_", "kaiming_uniform_", "normal_", "randn", "init"),
)
def identity_at_start(seen: AdapterSeen) -> Iterator[Symptom]:
    """Before training, the model says what the base says."""
    if not seen.identity_error <= EXACT:
        yield Symptom(
            f"Attaching the untrained adapter changes the model's answer by "
            f"{seen.identity_error:.1e} (relative), allowed {EXACT:.0e}."
        )


@probe(
    "HUB-C42",
    "An adapted layer is no longer y = W x + b",
    calls=("forward", "register_forward_hook"),
)
def affine(seen: AdapterSeen) -> Iterator[Symptom]:
    """Each adapted layer can be written as new weights of the base."""
    # Read weights off the changed layers by probing them.
    if seen.affine_fault:
        yield Symptom(f"The adapted model cannot be read: {seen.affine_fault}.")
