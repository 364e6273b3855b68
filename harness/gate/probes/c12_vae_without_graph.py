"""HUB-C12: encoding a picture keeps no graph of the VAE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Look at the grad mode when the VAE was called, and at whether its output needs a gradient."""
    if not seen.spy.encodings:
        raise DoesNotApply("the VAE's encoder was not called")
    first = next((e for e in seen.spy.encodings if e.keeps_graph), None)
    if first is not None or any(call.sample_requires_grad for call in seen.calls):
        yield Symptom(
            "The VAE is encoded with gradients, and it is trainable: its graph is kept.",
            place=(first or seen.spy.encodings[0]).place,
        )
        return
    first = next((e for e in seen.spy.encodings if e.grad_enabled), None)
    if first is not None:
        yield Symptom(
            "The VAE is encoded with gradients switched on.",
            meaning="It costs nothing while the VAE is frozen, as here; with an adapter "
            "that "
            "leaves it trainable it takes gigabytes at 512 px.",
            place=first.place,
            severity="hint",
        )


PROBE = Probe(
    id="HUB-C12",
    title="The VAE is encoded with gradients",
    experiment="training",
    hook="train",
    check=check,
    meaning="The graph of the VAE fills the memory (several GB at 512 px), and its weights collect "
    "gradients.",
    fix="Put `with torch.no_grad():` around vae.encode(...).",
    calls=("encode", "latent_dist"),
    because=("HUB-C41",),
)
