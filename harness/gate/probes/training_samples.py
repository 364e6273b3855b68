"""Which pictures and texts training uses, and how many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.colours import COLOURS
from harness.gate.probe import DoesNotApply, Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

probe = probes_of("training", "train")


@probe(
    "HUB-C10",
    "Captions do not reach the U-Net",
    exemptible=True,
    calls=("tokenizer", "text_encoder", "encoder_hidden_states"),
)
def text_reaches_unet(seen: TrainingSeen) -> Iterator[Symptom]:
    """Different captions reach the U-Net as different embeddings."""
    # Count the different embeddings among the samples of seven captions.
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


@probe("HUB-C33", "The step budget is not kept", calls=("steps", "step", "range"))
def step_budget(seen: TrainingSeen) -> Iterator[Symptom]:
    """The loop makes as many optimiser steps as the budget says, and reports each."""
    wanted = seen.config.steps
    last = seen.steps[-1].place if seen.steps else None
    made = seen.steps_made
    if seen.steps and made != wanted:
        yield Symptom(f"{made} optimiser steps were made; config.steps is {wanted}.", place=last)
    if len(seen.losses) != wanted:
        yield Symptom(
            f"TrainResult holds {len(seen.losses)} losses; config.steps is {wanted}.",
            fix="Keep one loss per optimiser step.",
        )
    numbers = seen.recorder.numbers
    if numbers != list(range(1, wanted + 1)):
        shown = ", ".join(map(str, numbers[:4])) + (", ..." if len(numbers) > 4 else "")
        yield Symptom(
            f"reporter.step was called {len(numbers)} times ({shown or 'never'}); wanted 1 to "
            f"{wanted}, each once.",
            meaning="The progress bar is wrong.",
            fix="Call reporter.step(step, loss) after each optimiser step, counting from 1.",
        )


@probe(
    "HUB-C34",
    "The picture budget is not kept",
    exemptible=True,
    calls=("batch_size", "DataLoader"),
    because=("HUB-C33",),
)
def picture_budget(seen: TrainingSeen) -> Iterator[Symptom]:
    """Each step learns from batch_size pictures, no more and no fewer."""
    # Count the pictures that went through the U-Net with a gradient.
    if not seen.calls:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    used = sum(len(call.sample) for call in seen.calls)
    budget = seen.config.steps * seen.config.batch_size
    if not 0.95 * budget <= used <= 1.05 * budget:
        yield Symptom(
            f"{used} pictures went through the U-Net with gradients; the budget is "
            f"{seen.config.steps} steps of {seen.config.batch_size}, {budget} pictures.",
            place=seen.calls[0].place,
        )


@probe(
    "HUB-C35",
    "Some pictures are never trained on",
    calls=("DataLoader", "drop_last", "randint", "range"),
    because=("HUB-C07", "HUB-C11", "HUB-C33", "HUB-C34"),
)
def every_picture(seen: TrainingSeen) -> Iterator[Symptom]:
    """Every picture of the dataset is trained on."""
    # Tell from the noisy latents which pictures they come from.
    from harness.gate.analysis import recognised

    seen_pictures = recognised(seen)
    if seen_pictures is None:
        raise DoesNotApply("the pictures cannot be told from the noisy latents")
    names = list(COLOURS)
    missing = [name for i, name in enumerate(names) if i not in seen_pictures]
    if missing:
        yield Symptom(
            f"{len(missing)} of {len(names)} pictures were never trained on in "
            f"{seen.config.steps * seen.config.batch_size} samples: {', '.join(missing)}.",
            place=next((e.place for e in seen.spy.encodings), None),
        )


AGREEMENT = (
    0.6  # share of samples; chance is a seventh, and a loop may hide captions of its own accord
)


@probe(
    "HUB-C36",
    "Captions belong to other pictures",
    calls=("encoder_hidden_states", "captions", "shuffle", "randperm"),
    because=("HUB-C07", "HUB-C10", "HUB-C11"),
)
def captions_fit(seen: TrainingSeen) -> Iterator[Symptom]:
    """While training, a picture is shown with its own caption."""
    # Ask of each sample: is its text the caption of the picture behind it?
    from harness.gate.analysis import caption_agreement

    found = caption_agreement(seen)
    if found is None:
        raise DoesNotApply("pictures or texts cannot be told apart")
    agreement, pairs = found
    if agreement < AGREEMENT:
        yield Symptom(
            f"Only {agreement:.0%} of {pairs} samples show the picture that their text names "
            "(chance: 14 %).",
            place=next((call.place for call in seen.calls), None),
        )


APART = 0.05  # relative; a way through half precision gives 0.001


@probe(
    "HUB-C43",
    "Other text embeddings than generate will use",
    severity="hint",
    calls=("text_encoder", "hidden_states", "tokenizer"),
    because=("HUB-C10",),
)
def text_of_the_encoder(seen: TrainingSeen) -> Iterator[Symptom]:
    """The U-Net is given what the text encoder says, in the form that generate uses."""
    # Look up each embedding among what left the text encoder, and among the captions' own.
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
    if apart > APART:
        yield Symptom(
            "The U-Net is given embeddings that never left the text encoder's last layer: they "
            f"differ by {apart:.0%} from the nearest one that did.",
            place=place,
        )
