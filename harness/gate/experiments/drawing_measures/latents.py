"""The latents on their way: the noise they start from, the steps, the guidance and the sampler."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.gate.experiments.drawing_measures.calls import beside, first_calls
from harness.gate.experiments.drawing_measures.studio import SEED, STEPS, Drawn, Studio
from harness.gate.profile.property import Values

DIRECTIONS = 3


def noise_of(seed: int, shape: torch.Size) -> Tensor:
    """Return the noise that a seed means, (4, h, w)."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def starts(drawn: Drawn) -> Tensor:
    """Return the first latents of each picture, (n, 4, h, w)."""
    found = [call.sample[rows] for call, _, rows in first_calls(drawn) if rows]
    return torch.cat(found) if found else torch.zeros(0, 4, 1, 1)


def first_latents(plain: Drawn, shifted: Drawn) -> Values:
    """From which seed's noise each picture starts, and how strong it is."""
    seeds, sizes = [], []
    for drawn in (plain, shifted):
        for latents in starts(drawn)[: len(drawn.pictures)]:
            alike = {
                seed: float(
                    torch.nn.functional.cosine_similarity(
                        latents.flatten(), noise_of(seed, latents.shape).flatten(), dim=0
                    )
                )
                for seed in range(SEED + 8)
            }
            best = max(alike, key=lambda seed: alike[seed])
            exact = alike[best] > 0.9999
            seeds.append(str(best) if exact else "another noise")
            sizes.append(float(latents.std()) / float(noise_of(best, latents.shape).std()))
    return {
        "seeds": ", ".join(seeds),
        "strength": sum(sizes) / len(sizes) if sizes else None,
    }


def steps(plain: Drawn, longer: Drawn) -> Values:
    """How often the U-Net is asked for one picture, and at which timesteps."""
    found: Values = {}
    for name, drawn in ((f"{STEPS} steps", plain), (f"{STEPS + 3} steps", longer)):
        times = [round(float(call.timesteps[0])) for call in drawn.sketcher.calls]
        # Pictures that are drawn one after the other visit the same ones again.
        found[f"timesteps of {name}"] = ", ".join(map(str, dict.fromkeys(times)))
    return found


def second_sample(drawn: Drawn) -> Tensor | None:
    """Return the latents of the first picture after one step, (4, h, w)."""
    calls = drawn.sketcher.calls
    later = [c for c in calls if c.timesteps[0] != calls[0].timesteps[0]]
    return later[0].sample[-1] if later else None


def sampler(drawn: Drawn) -> Values:
    """Some numbers of the latents that are decoded, by which two samplers can be told apart."""
    if not drawn.decoder.given:
        return {}
    latents = drawn.decoder.given[0]  # (4, h, w)
    generator = torch.Generator().manual_seed(21)
    directions = torch.randn((DIRECTIONS, *latents.shape), generator=generator)
    along = (directions * latents).flatten(1).sum(1) / directions.flatten(1).norm(dim=1)
    return {f"along direction {i + 1}": float(value) for i, value in enumerate(along)}


def guidance(studio: Studio, plain: Drawn, unguided: Drawn, strong: Drawn) -> Values:
    """How strong the guidance of the first step is, read off the latents after it."""
    silent = studio.draw(loud=0.0, guidance_scale=1.0, count=1)
    zero, one, some = second_sample(silent), second_sample(unguided), second_sample(strong)
    found: Values = {
        "strength in the first step": None,
        "steps with a text beside the prompts": beside(plain),
        "the same with a guidance of 1": beside(unguided),
    }
    if zero is None or one is None or some is None or zero.shape != some.shape:
        return found
    unit = one - zero
    norm = float(unit.square().sum())
    if norm > 1e-8:
        found["strength in the first step"] = float(((some - zero) * unit).sum()) / norm
    return found
