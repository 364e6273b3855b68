"""HUB-C43: the U-Net is given what the text encoder says, in the form that generate uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

LIMIT = 0.05  # relative; a way through half precision gives 0.001


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Look up each embedding among what left the text encoder, and among the captions' own."""
    from harness.gate.analysis import farthest_text

    if not seen.calls:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    place = seen.calls[0].place
    wanted = seen.known_texts.shape[1]
    lengths = {call.states.shape[1] for call in seen.calls}
    if lengths != {wanted}:
        yield Symptom(
            f"Texts of {', '.join(map(str, sorted(lengths)))} tokens reach the U-Net; generate "
            f"gives it {wanted}.",
            fix='tokenizer(captions, padding="max_length", truncation=True, ...)',
            place=place,
        )
        return
    apart = farthest_text(seen)
    if apart > LIMIT:
        yield Symptom(
            "The U-Net is given embeddings that never left the text encoder's last layer: they "
            f"differ by {apart:.0%} from the nearest one that did.",
            place=place,
        )


PROBE = Probe(
    id="HUB-C43",
    title="Other text embeddings than generate will use",
    experiment="training",
    hook="train",
    check=check,
    severity="hint",
    meaning="The pipeline draws with the last hidden state of the text encoder, padded to its full "
    "length. Trained on something else (an earlier layer, another length, scaled embeddings), the "
    "adapter expects what it will not get.",
    fix="encoder_hidden_states = text_encoder(input_ids)[0]",
    calls=("text_encoder", "hidden_states", "tokenizer"),
    because=("HUB-C10",),
)
