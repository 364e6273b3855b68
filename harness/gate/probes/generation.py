"""What generate draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.generation import GenerationSeen

probe = probes_of("generation", "generate", owners=("generate",))


SCALE_TOLERANCE = 0.15  # of the full effect


@probe(
    "HUB-C26",
    "lora_scale or dropout act wrongly while drawing",
    owners=("make_lora", "generate"),
    exemptible=True,
    calls=("lora_scale", "set_lora_scale", "eval"),
    because=("HUB-C51", "HUB-C52", "HUB-C20", "HUB-C04"),
)
def scale_and_dropout(seen: GenerationSeen) -> Iterator[Symptom]:
    """lora_scale 0 is the base, a half is half, and nothing is dropped while drawing."""
    # Compare pictures with different scales and modes, and the U-Net's first answers.
    from harness.gate.experiments.generation import distance

    dropped = distance(seen.plain, seen.training_mode)
    if dropped > 0.5:
        yield Symptom(
            f"Pictures drawn while the model is in training mode differ by {dropped:.1f} of 255 "
            "from those in eval mode.",
            meaning="Dropout is active while drawing; every picture is a little damaged.",
            fix="Call pipeline.unet.eval() (and adapter.eval()) before the pipeline.",
        )
    if seen.off is None:
        if seen.can_be_scaled:
            yield Symptom(
                f"lora_scale 0 was refused although layers have a lora_scale: {seen.refused}"
            )
        return
    apart, effect = distance(seen.off, seen.base), distance(seen.plain, seen.base)
    if apart > max(0.5, 0.05 * effect):
        yield Symptom(
            f"With lora_scale 0 the pictures differ by {apart:.1f} of 255 from the base's; with "
            f"1 by {effect:.1f}."
        )
    elif seen.effects is not None and abs(seen.effects[0] - 0.5) > SCALE_TOLERANCE:
        yield Symptom(
            f"lora_scale 0.5 has {seen.effects[0]:.0%} of the full effect on the U-Net's answer "
            "instead of half."
        )


@probe(
    "HUB-C51",
    "generate does not use the adapter",
    owners=("make_lora", "generate"),
    calls=("from_pretrained", "lora_scale", "disable_adapters"),
    because=("HUB-C04", "HUB-C03"),
)
def adapter_is_used(seen: GenerationSeen) -> Iterator[Symptom]:
    """Generate draws with the adapter that was trained."""
    from harness.gate.experiments.generation import distance

    effect = distance(seen.plain, seen.base)
    if not effect > 0.5:
        yield Symptom(
            f"After the adapter was moved the pictures changed by {effect:.2f} of 255 in the mean."
        )


@probe(
    "HUB-C52",
    "generate does not honour the seed",
    calls=("manual_seed", "Generator", "randn", "generator", "latents"),
)
def seed_of_pictures(seen: GenerationSeen) -> Iterator[Symptom]:
    """The same seed draws the same picture, another seed another one."""
    # Compare pictures of equal and different seeds, in company and alone.
    from harness.gate.experiments.generation import distance

    again, other = distance(seen.plain, seen.again), distance(seen.plain, seen.other_seed)
    alone = distance(seen.plain[1:], seen.shifted)
    if again > 0.5:
        yield Symptom(f"Drawn twice with the same seed, pictures differ by {again:.1f} of 255.")
    elif other < 0.5:
        yield Symptom(f"Another seed changes the pictures by {other:.2f} of 255.")
    elif alone > 2.0:
        yield Symptom(
            f"Picture 2 of seed 40 and picture 1 of seed 41, same prompt, differ by {alone:.1f} of "
            "255; both start from the noise of seed 41.",
            meaning="A picture depends on how many are drawn beside it, so it cannot be drawn "
            "again.",
            fix="Give picture i a generator of its own: "
            'torch.Generator("cpu").manual_seed(config.seed + i).',
            severity="hint",
        )


@probe(
    "HUB-C53",
    "Size or number of the pictures is wrong",
    calls=("height", "width", "images", "pipeline"),
)
def size_and_count(seen: GenerationSeen) -> Iterator[Symptom]:
    """As many pictures as prompts, of the size that is asked for."""
    if seen.size_fault:
        yield Symptom(seen.size_fault)


@probe(
    "HUB-C54",
    "A setting of drawing has no effect",
    calls=("pipeline", "guidance_scale", "num_inference_steps", "negative_prompt"),
    because=("HUB-C52",),
)
def settings_of_drawing(seen: GenerationSeen) -> Iterator[Symptom]:
    """Prompt, negative prompt, guidance and steps steer the picture."""
    # Change one of them at a time.
    from harness.gate.experiments.generation import STEPS, distance

    # Both pictures have the noise of seed 41: the first of other_seed, and the second of plain.
    if distance(seen.plain[1:], seen.other_seed[:1]) < 0.5:
        yield Symptom("Two different prompts give the same picture.", severity="error")
    for name, pictures in (
        ("negative_prompt", seen.negative),
        ("guidance_scale", seen.guided),
        ("num_inference_steps", seen.more_steps),
    ):
        if distance(seen.plain, pictures) < 0.05:
            yield Symptom(f"config.{name} changes nothing.")
    few, many = seen.calls[STEPS], seen.calls[2 * STEPS]
    if few and not 1.3 * few <= many <= 3 * few:
        yield Symptom(f"{STEPS} steps call the U-Net {few} times, {2 * STEPS} steps {many} times.")


PICTURES = (".png", ".jpg", ".jpeg", ".webp")
NEAR = 4.0  # mean difference of 255; the nearest honest picture is ten times as far


@probe("HUB-C55", "Pictures are not drawn", calls=("open", "images"))
def no_stored_pictures(seen: GenerationSeen) -> Iterator[Symptom]:
    """Pictures are drawn, not fetched from the training folder."""
    opened = [d for d in seen.deeds if d.kind == "read" and d.what.lower().endswith(PICTURES)]
    if opened:
        name = opened[0].what.replace("\\", "/").rpartition("/")[2]
        yield Symptom(f"While drawing it opened the picture {name!r}.", place=opened[0].place)
    elif seen.nearest_training < NEAR:
        yield Symptom(
            f"A picture differs from a training picture by {seen.nearest_training:.1f} of 255 "
            "in the mean, although the adapter was not trained."
        )
    elif not any(seen.calls.values()):
        yield Symptom("Pictures came without a single call of the U-Net.")
