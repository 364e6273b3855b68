"""The profile of ``generate``: a U-Net that knows each text, and a decoder that is watched."""

from __future__ import annotations

from harness.gate.audit import watching
from harness.gate.experiments.context import Context
from harness.gate.experiments.drawing_measures.calls import exchanged, texts
from harness.gate.experiments.drawing_measures.latents import (
    first_latents,
    guidance,
    sampler,
    steps,
)
from harness.gate.experiments.drawing_measures.modes import asked_scale, mode, scales_of
from harness.gate.experiments.drawing_measures.pictures import order, pixels, same_pictures, size
from harness.gate.experiments.drawing_measures.studio import SEED, STEPS, Studio
from harness.gate.experiments.files_read import files
from harness.gate.experiments.measuring import both
from harness.gate.profile.property import Measured, Profiled
from harness.worker.hooks import Hooks


def run(context: Context) -> Profiled:
    """Draw the contribution's way and the reference's."""
    return both(context, "drawing", measure)


def measure(context: Context, hooks: Hooks) -> Measured:
    """Measure one ``generate``, watched."""
    with watching(context.finder, context.scratch) as deeds:
        found = look(context, hooks)
    return {**found, "drawing.files": files(deeds)}


def look(context: Context, hooks: Hooks) -> Measured:
    """Measure what is drawn, and from what."""
    studio = Studio(context, hooks)
    plain = studio.draw()
    training = studio.draw(training=True, count=1)
    wordless = studio.draw(negative_prompt="", count=1)
    longer = studio.draw(num_inference_steps=STEPS + 3, count=1)
    shifted = studio.draw(seed=SEED + 2, count=1)
    unguided = studio.draw(guidance_scale=1.0, count=1)
    alone = studio.draw(count=1)
    again = studio.draw(disturbed=True)
    return {
        "drawing.first_latents": first_latents(plain, shifted),
        "drawing.steps": steps(plain, longer),
        "drawing.prompts": {"the U-Net is given": texts(plain, guided=True)},
        "drawing.negative_prompts": {
            "beside them": texts(plain, guided=False),
            "without a negative prompt": texts(wordless, guided=False),
        },
        "drawing.guidance": guidance(studio, plain, unguided, alone),
        "drawing.sampler": sampler(alone),
        "drawing.repeatable": {
            "drawn again": same_pictures(plain, again),
            "drawn alone": same_pictures(alone, plain),
        },
        "drawing.order": {
            "the pictures are": order(plain),
            "share drawn for another's prompt": exchanged(plain),
        },
        "drawing.pixels": pixels(plain),
        "drawing.size": size(plain),
        "drawing.lora_scale": {
            "in the U-Net's calls": scales_of(plain),
            "with 0 asked for": asked_scale(studio, 0.0),
            "with 1.5 asked for": asked_scale(studio, 1.5),
        },
        "drawing.mode": mode(training),
        "drawing.precision": {
            "the U-Net computes in": ", ".join(sorted(plain.sketcher.precisions)) or None,
            "it is given besides": ", ".join(sorted(plain.sketcher.besides)) or "nothing",
        },
        "drawing.left_behind": {"changed": plain.changed},
        "drawing.generators": {"leaves moved": plain.generators},
    }
