"""What a U-Net is asked for at a timestep, and how much its answer counts.

Shapes in comments: B batch, h w rows and columns of the latents.
"""

from __future__ import annotations

from diffusers import DDPMScheduler
from torch import Tensor


def min_snr_weights(noise_scheduler: DDPMScheduler, timesteps: Tensor, gamma: float) -> Tensor:
    """Return the weight of each timestep, (B,): those with little noise count less.

    Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy",
    arXiv:2303.09556: min(SNR, gamma) / SNR for epsilon, min(SNR, gamma) / (SNR + 1) for v.
    """
    alpha_bar: Tensor = noise_scheduler.alphas_cumprod.to(timesteps.device)[timesteps]  # (B,)
    snr = alpha_bar / (1 - alpha_bar)  # (B,)
    if noise_scheduler.config.prediction_type == "v_prediction":
        return snr.clamp(max=gamma) / (snr + 1)
    return snr.clamp(max=gamma) / snr


def training_target(
    noise_scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, timesteps: Tensor
) -> Tensor:
    """Return what the U-Net of this scheduler has to predict, (B, 4, h, w).

    Raises:
        ValueError: The scheduler's prediction type is neither epsilon nor v_prediction, or it
            predicts the noise at a timestep that is nothing but noise.
    """
    prediction_type = noise_scheduler.config.prediction_type
    if prediction_type == "epsilon" and noise_scheduler.config.rescale_betas_zero_snr:
        # Lin et al. 2023, arXiv:2305.08891, section 3.3: the answer would be the question.
        raise ValueError(
            "The base has zero terminal SNR and predicts the noise (epsilon): at the last timestep "
            "there is nothing to learn from, and min-SNR would divide 0 by 0. Such a base has to "
            'be v_prediction: set "prediction_type" in its scheduler/scheduler_config.json.'
        )
    if prediction_type == "epsilon":  # SD 1.x
        return noise
    if prediction_type == "v_prediction":  # SD 2.x; Salimans & Ho 2022, arXiv:2202.00512
        velocity: Tensor = noise_scheduler.get_velocity(latents, noise, timesteps)
        return velocity
    raise ValueError(
        f"The base predicts {prediction_type!r}; this trainer knows epsilon and v_prediction."
    )
