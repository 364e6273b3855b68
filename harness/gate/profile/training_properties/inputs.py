"""What the VAE and the U-Net are given: pixels, latents, noise, timesteps."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property
from harness.gate.profile.training_properties.names import (
    INPUTS,
    LATENTS,
    PIXELS,
    SCHEDULE,
    TIMESTEPS,
    TOLD,
    prop,
)

INPUTS_PROPERTIES: tuple[Property, ...] = (
    prop(
        PIXELS,
        "The pixels that the VAE is given",
        "Black and white cards go through the data set as -1 and 1; the VAE's encoder notes what "
        "arrives.",
        Measure("lowest pixel", tolerance=0.02),
        Measure("highest pixel", tolerance=0.02),
        Measure("distance from the data set's", tolerance=0.02),
        never="The VAE was trained on RGB from -1 to 1: with other pixels its latents are those of "
        "another picture.",
        fix="Give vae.encode the data set's pixel_values as they are.",
        calls=("encode",),
    ),
    prop(
        "training.encoding",
        "Whether the VAE is encoded for training",
        "Whether gradients are on while the VAE encodes.",
        Measure("with gradients"),
        fix="Encode under torch.no_grad(): with a VAE that is not frozen its graph is kept, which "
        "takes gigabytes at 512 pixels.",
        calls=("encode", "no_grad", "latent_dist"),
        because=("adapter.outside",),
    ),
    prop(
        "training.precision",
        "How the U-Net is asked",
        "The type of the U-Net's input, whether autocast is on, and its further arguments.",
        Measure("the U-Net computes in"),
        Measure("it is given besides"),
        fix="unet(noisy_latents, timesteps, encoder_hidden_states), in float32.",
        calls=("autocast", "half", "bfloat16", "unet"),
    ),
    prop(
        LATENTS,
        "What becomes of the VAE's answer",
        "The encoder gives each card known latents, once with hardly any deviation and once with a "
        "large one; both are read off the U-Net's inputs.",
        Measure("factor", relative=0.003, grave=0.02),
        Measure("spread of the sample", tolerance=0.1),
        Measure("mean of the sample", tolerance=0.1),
        Measure("alike in a batch", tolerance=0.1),
        Measure("alike from step to step", tolerance=0.1),
        Measure("alike to the noise", tolerance=0.1),
        fix="latents = (mean + std * noise) * vae.config.scaling_factor, or "
        "latent_dist.sample() * vae.config.scaling_factor, anew in every step.",
        calls=("scaling_factor", "latent_dist", "std", "sample", "encode"),
        because=(PIXELS, SCHEDULE, TOLD),
    ),
    prop(
        SCHEDULE,
        "The amount of noise at each timestep",
        "What is left of a card in the U-Net's input is compared with sqrt(alpha_bar) of the base.",
        Measure("distance from the base's", tolerance=0.01),
        never="The base denoises with the betas it was trained with; with others every timestep "
        "means another amount of noise.",
        fix="DDPMScheduler.from_config(pipeline.scheduler.config), then "
        "add_noise(latents, noise, timesteps), in this order.",
        calls=("from_config", "DDPMScheduler", "add_noise", "betas"),
        because=(PIXELS,),
    ),
    prop(
        TOLD,
        "The timestep that the U-Net is told",
        "The amount of noise in each input gives the timestep that was used; it is compared with "
        "the one the U-Net is told.",
        Measure("shift", "steps", tolerance=0.3),
        Measure("told right", tolerance=0.05),
        Measure("finest step, beside the noise's", tolerance=0.5),
        Measure("whole numbers"),
        never="The U-Net is then asked to take away another amount of noise than there is, and at "
        "drawing time it is not.",
        fix="Pass the same timesteps to add_noise and to the U-Net.",
        calls=("add_noise", "timesteps"),
        because=(PIXELS, SCHEDULE),
    ),
    prop(
        TIMESTEPS,
        "Which timesteps are drawn",
        "About 7000 draws: both ends, mean, distance of the distribution from a uniform one "
        "(Kolmogorov-Smirnov), even ones, and how they hang together: in a batch, over the "
        "training, and with the picture.",
        Measure("lowest", tolerance=0.9),
        Measure("highest", tolerance=0.9),
        Measure("mean", tolerance=18.0),
        Measure("distance from uniform", tolerance=0.02),
        Measure("share of even ones", tolerance=0.035),
        Measure("different ones", tolerance=10.0, grave=900.0),
        Measure("same as its neighbour's", tolerance=0.01),
        Measure("alike in a batch", tolerance=0.06),
        Measure("spread of the batches' means", tolerance=0.6),
        Measure("later mean beside the earlier", tolerance=35.0),
        Measure("difference between pictures", tolerance=60.0),
        fix="torch.randint(noise_scheduler.config.num_train_timesteps, (batch_size,)).",
        calls=("randint", "timesteps", "rand"),
        because=(TOLD, SCHEDULE),
    ),
    prop(
        "training.noise",
        "The noise that is added",
        "The known latents are taken off the U-Net's inputs; what is left is the noise.",
        Measure("mean", tolerance=0.01),
        Measure("deviation", tolerance=0.01, grave=0.2),
        Measure("fourth moment", tolerance=0.15),
        Measure("alike in a batch", tolerance=0.02),
        Measure("alike from step to step", tolerance=0.02),
        Measure("most alike in a batch", tolerance=0.25),
        Measure("most alike in two steps", tolerance=0.25),
        Measure("alike in two channels", tolerance=0.02),
        Measure("alike in neighbouring places", tolerance=0.02),
        Measure("deviation of a channel's mean, as a multiple of chance", tolerance=0.08),
        fix="torch.randn of the latents' whole shape, anew in every step.",
        calls=("randn", "randn_like", "noise"),
        because=INPUTS,
    ),
)
