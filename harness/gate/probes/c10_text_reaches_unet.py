"""HUB-C10: different captions reach the U-Net as different embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Count the different embeddings among the samples of seven captions."""
    from harness.gate.analysis import distinct_rows

    if seen.spy.untokenized:
        yield Symptom(
            "The text encoder was given captions as words; it reads token ids and raises an error.",
            fix='input_ids = tokenizer(captions, padding="max_length", truncation=True, '
            'return_tensors="pt").input_ids, then text_encoder(input_ids)[0]',
            place=seen.spy.untokenized,
        )
        return
    if not seen.calls:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    states = [row for call in seen.calls for row in call.states]
    place = next((call.place for call in seen.calls), None)
    if not all(bool(row.isfinite().all()) for row in states):
        yield Symptom("The text embeddings hold NaN or infinity.", place=place)
        return
    if max(float(row.abs().max()) for row in states) < 1e-6:
        yield Symptom("The text embeddings are all zero.", place=place)
        return
    distinct = distinct_rows(states)
    if distinct < 4:
        yield Symptom(
            f"Seven different captions reach the U-Net as {distinct} different embedding"
            f"{'' if distinct == 1 else 's'}.",
            place=place,
        )


PROBE = Probe(
    id="HUB-C10",
    title="Captions do not reach the U-Net",
    experiment="training",
    hook="train",
    check=check,
    meaning="The U-Net cannot learn what a word means if it is shown the same text for everything; "
    "prompts will not steer the result.",
    fix="Tokenize each caption (padding to tokenizer.model_max_length) and give the U-Net "
    "text_encoder(input_ids)[0] of the same pictures.",
    calls=("tokenizer", "text_encoder", "encoder_hidden_states"),
    exemptible=True,
)
