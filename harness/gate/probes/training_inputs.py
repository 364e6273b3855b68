"""What training gives the VAE and the U-Net: pixels, latents, noise, timesteps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.colours import COLOURS
from harness.gate.probe import DoesNotApply, Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

probe = probes_of("training", "train")


FACTOR_TOLERANCE = 0.1  # relative


@probe(
    "HUB-C07",
    "Latents are not scaled",
    calls=("scaling_factor", "latent_dist", "encode"),
    because=("HUB-C11",),
)
def latents_scaled(seen: TrainingSeen) -> Iterator[Symptom]:
    """Latents are multiplied by the scaling factor, once."""
    # Read the factor off the fourth channel, whose latent is known and the same everywhere.
    from harness.gate.analysis import signal_factor

    factor, wanted = signal_factor(seen), seen.scaling_factor
    if factor is None:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    if abs(factor - wanted) <= FACTOR_TOLERANCE * wanted:
        return
    guesses = {
        1.0: "they are not scaled at all",
        wanted**2: "they are scaled twice",
        1 / wanted: "they are divided by the factor",
        0.0: "no picture is in them",
    }
    why = [text for value, text in guesses.items() if abs(factor - value) <= 0.1 * value + 0.01]
    yield Symptom(
        f"Latents reach the U-Net multiplied by {factor:.3g} instead of {wanted:.5g}"
        + (f": {why[0]}." if why else "."),
        place=next((e.place for e in seen.spy.encodings), None),
    )


WEAKEST, STRONGEST = 0.7, 1.4  # of the variance: offset and pyramid noise lie inside


@probe(
    "HUB-C08",
    "The noise does not fit the timestep",
    exemptible=True,
    calls=("add_noise", "randn_like", "randn"),
)
def noise_level(seen: TrainingSeen) -> Iterator[Symptom]:
    """The noise in a sample is Gaussian and as strong as its timestep says."""
    # Measure the variance inside each channel and divide by 1 - alpha_bar.
    from harness.gate.analysis import fitting_schedule

    if seen.samples is None:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    if fitting_schedule(seen):
        return  # a clear case, which HUB-C29 tells
    noisy, alpha = seen.samples.noisy, seen.samples.alpha_bar
    # Inside a channel the known latent is one number, and so is offset noise: both drop out.
    within = noisy.flatten(2).var(-1).mean(-1)  # (N,)
    ratios = within / (1 - alpha)
    ratio = float(ratios.median())
    spread = float(ratios.log().std()) if bool((within > 0).all()) else float("inf")
    place = next((call.place for call in seen.calls), None)
    if not WEAKEST <= ratio <= STRONGEST:
        yield Symptom(
            f"The noise in the U-Net's input has {ratio:.2f} times the variance that its timestep "
            "asks for.",
            place=place,
        )
    elif spread > 0.6:
        yield Symptom(
            "The strength of the noise does not follow the timestep that the U-Net is told: the "
            f"ratio of both varies by a factor of {2.718**spread:.1f}.",
            place=place,
        )


@probe(
    "HUB-C09",
    "Timesteps do not cover the schedule",
    exemptible=True,
    calls=("randint", "timesteps"),
)
def timesteps(seen: TrainingSeen) -> Iterator[Symptom]:
    """Timesteps cover the whole schedule, one drawn for each picture."""
    if seen.samples is None:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    drawn, total = seen.samples.timesteps, len(seen.alphas_cumprod)
    place = next((call.place for call in seen.calls), None)
    low, high = float(drawn.min()), float(drawn.max())
    if low < 0 or high > total - 1:
        yield Symptom(
            f"Timesteps from {low:.0f} to {high:.0f} were drawn; the schedule has 0 to "
            f"{total - 1}.",
            place=place,
        )
        return
    thirds = [
        int(((drawn >= total * k / 3) & (drawn < total * (k + 1) / 3)).sum()) for k in range(3)
    ]
    distinct = len(set(drawn.tolist()))
    if distinct <= 5 or 0 in thirds:
        yield Symptom(
            f"{len(drawn)} samples have {distinct} different timesteps, from {low:.0f} to "
            f"{high:.0f}; low, middle and high third: {thirds[0]}, {thirds[1]}, {thirds[2]}.",
            place=place,
        )
        return
    batches = [call.timesteps for call in seen.calls if len(call.timesteps) > 1]
    if batches and all(len(set(b.tolist())) == 1 for b in batches):
        yield Symptom(
            "All pictures of a batch share one timestep.",
            meaning="Correct, but each step then learns about one noise level only: the loss is "
            "noisier for the same budget.",
            fix="Draw one per picture: torch.randint(0, T, (batch_size,)).",
            place=place,
            severity="hint",
        )


@probe(
    "HUB-C11", "The VAE is given other pixels than the dataset's", calls=("encode", "pixel_values")
)
def pixels(seen: TrainingSeen) -> Iterator[Symptom]:
    """The VAE is given the pixels that the dataset returned: float, in [-1, 1]."""
    # Look at what reached the VAE; the pictures hold both -1 and 1.
    if not seen.spy.encodings:
        raise DoesNotApply("the VAE's encoder was not called")
    low = min(e.low for e in seen.spy.encodings)
    high = max(e.high for e in seen.spy.encodings)
    place = seen.spy.encodings[0].place
    if low > -0.5 or low < -1.05 or high > 1.05 or high < 0.5:
        yield Symptom(
            f"The VAE was given pixels from {low:.3g} to {high:.3g}; the dataset holds -1 to 1.",
            place=place,
        )
        return
    known = {tuple(float(v) for v in colour) for colour in COLOURS.values()}
    seen_colours = {
        tuple(round(float(v), 2) for v in row) for e in seen.spy.encodings for row in e.colours
    }
    foreign = seen_colours - known
    if foreign:
        yield Symptom(
            f"The VAE was given the colour {min(foreign)} (red, green, blue from -1 to 1), "
            "which is no picture's.",
            meaning="Pictures are changed, or their channels exchanged, between dataset and VAE.",
            fix="Leave colours to make_dataset; give the VAE pixel_values as they are.",
            place=place,
            severity="hint",
        )


@probe(
    "HUB-C12",
    "The VAE is encoded with gradients",
    calls=("encode", "latent_dist"),
    because=("HUB-C41",),
)
def vae_without_graph(seen: TrainingSeen) -> Iterator[Symptom]:
    """Encoding a picture keeps no graph of the VAE."""
    # Look at the grad mode when the VAE was called, and at whether its output needs a gradient.
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
            meaning=(
                "It costs nothing while the VAE is frozen, as here; with an adapter "
                "that "
                "leaves it trainable it takes gigabytes at 512 px."
            ),
            place=first.place,
            severity="hint",
        )


LEVEL_TOLERANCE = 0.04  # root mean square error of sqrt(alpha_bar); measuring noise gives 0.012


@probe(
    "HUB-C29",
    "Another noise schedule than the base's",
    exemptible=True,
    calls=("DDPMScheduler", "DDIMScheduler", "add_noise"),
    because=("HUB-C08",),
)
def schedule(seen: TrainingSeen) -> Iterator[Symptom]:
    """Noise is added with the betas of the base."""
    # Compare how much of the known latent is left with sqrt(alpha_bar) of each timestep.
    from harness.gate.analysis import fitting_schedule, schedule_error

    error = schedule_error(seen)
    if error is None:
        raise DoesNotApply("no picture is in the noisy latents")
    if error <= LEVEL_TOLERANCE:
        return
    other = fitting_schedule(seen)
    yield Symptom(
        f"What is left of a picture at a timestep misses the base's schedule by {error:.2f} (of 1)"
        + (f"; it fits {other}." if other else "."),
        place=next((call.place for call in seen.calls), None),
    )


SAME_NOISE = 0.9  # correlation; antithetic noise (-1) is a known trick and passes


@probe(
    "HUB-C39",
    "The same noise is used again and again",
    exemptible=True,
    calls=("randn_like", "randn", "manual_seed", "Generator"),
    because=("HUB-C07", "HUB-C08", "HUB-C29"),
)
def noise_fresh(seen: TrainingSeen) -> Iterator[Symptom]:
    """Every sample has noise of its own."""
    # Take the known latents off and correlate what is left, each sample with each other.
    from harness.gate.analysis import most_repeated

    share = most_repeated(seen, SAME_NOISE)
    if share is None:
        raise DoesNotApply("the noise cannot be told from the noisy latents")
    if share > 0.2:
        yield Symptom(
            f"{share:.0%} of the samples carry noise that another sample carries too.",
            place=next((call.place for call in seen.calls), None),
        )
