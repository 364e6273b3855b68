"""What the loss does."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property
from harness.gate.profile.training_properties.names import INPUTS, LOSS, TARGET, prop

LOSSES_PROPERTIES: tuple[Property, ...] = (
    prop(
        TARGET,
        "What the U-Net is trained to answer",
        "The U-Net's answer misses the noise by known amounts; the gradient that comes back points "
        "away from the loop's target.",
        Measure("it is"),
        Measure("small misses pulled the right way", tolerance=0.05),
        Measure("share of the noise in it", tolerance=0.005),
        serious=True,
        fix="F.mse_loss(noise_pred, noise) with the very noise that add_noise was given.",
        calls=("mse_loss", "noise_pred", "backward", "add_noise"),
        because=INPUTS,
    ),
    prop(
        "training.prediction_type",
        "What another kind of base is trained to answer",
        "A few steps on a base whose scheduler says v_prediction.",
        Measure("of a base for the velocity"),
        fix="Take the target from noise_scheduler.config.prediction_type, or refuse such a base.",
        calls=("mse_loss", "prediction_type"),
        because=(*INPUTS, TARGET),
    ),
    prop(
        LOSS,
        "What an error counts for",
        "The gradient at misses of 0.5, 1 and 4, as a multiple of the mean squared error's, and "
        "how finely it is rounded.",
        Measure("scale", relative=0.05),
        Measure("error of 0.5 beside one of 1", tolerance=0.05),
        Measure("error of 4 beside one of 1", tolerance=0.05),
        Measure("error above beside one below", tolerance=0.02),
        Measure("computed in"),
        fix="F.mse_loss(noise_pred, noise), the mean over all elements.",
        calls=("mse_loss", "backward", "mean"),
        because=(*INPUTS, TARGET),
    ),
    prop(
        "training.loss_weights",
        "Where an error counts",
        "The same gradient by timestep, place in the batch, channel, place in the picture, and for "
        "dropped captions, beside the mean of all.",
        Measure("timesteps 0 to 99", tolerance=0.12),
        Measure("timesteps 100 to 499", tolerance=0.05),
        Measure("timesteps 500 to 999", tolerance=0.05),
        Measure("first picture of a batch", tolerance=0.12),
        Measure("second half of a batch", tolerance=0.05),
        Measure("dropped captions", tolerance=0.05),
        Measure("difference between channels", tolerance=0.05),
        Measure("difference between places", tolerance=0.1),
        Measure("difference between pictures", tolerance=0.05),
        Measure("pictures that do not count", tolerance=0.01),
        fix="Weigh all elements alike, or say why not.",
        calls=("mse_loss", "weights", "weight", "backward", "mean"),
        because=(*INPUTS, TARGET),
    ),
)
