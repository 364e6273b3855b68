"""The last step of loading a pipeline, however it was loaded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from toolkit.core.errors import BaseModelError

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# diffusers 0.42 warns of modules to be kept in float32 at every cast, also where there are none.
NOTHING_TO_KEEP: Final = "should be kept in float32: []"


def finished(pipeline: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """Put the three models of a pipeline in eval mode and hide its progress bar.

    Raises:
        BaseModelError: A weight is not finite: everything drawn would be black.
    """
    for part in ("unet", "vae", "text_encoder"):
        model = getattr(pipeline, part)
        model.eval()
        for name, weight in model.named_parameters():
            if not weight.isfinite().all():
                raise BaseModelError(
                    f"The base's {part} has weights that are not finite (NaN), first {name}.",
                    fix="It was saved by a training or merge that went wrong, or converted to "
                    "float16 beyond its range. Fetch or make it again.",
                )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def quiet_diffusers() -> Any:
    """Import diffusers without its and transformers' remarks on parts SD 1.x does not use."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    import diffusers

    diffusers.utils.logging.disable_progress_bar()
    logging.getLogger("diffusers.models.modeling_utils").addFilter(says_something)
    return diffusers


def says_something(record: logging.LogRecord) -> bool:
    """Tell whether a message of diffusers names anything."""
    return NOTHING_TO_KEEP not in record.getMessage()
