"""The last step of loading a pipeline, however it was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def finished(pipeline: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """Put the three models of a pipeline in eval mode and hide its progress bar."""
    for model in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        model.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def quiet_diffusers() -> Any:
    """Import diffusers without its and transformers' remarks on parts SD 1.x does not use."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    import diffusers

    diffusers.utils.logging.disable_progress_bar()
    return diffusers
