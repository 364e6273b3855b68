"""A pipeline on which pictures are drawn while everything is watched.

Shapes in comments: n pictures, h w rows and columns of the latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.gate.experiments.context import Context, attach
from harness.gate.experiments.drawing_measures.watched import NEGATIVE, PROMPTS, Decoder, Sketcher
from harness.gate.experiments.pipelines import changed, embedded, small_text_encoder, state_of
from harness.gate.profile.training_watch import disturb, moved, random_states
from harness.gate.spies import Spy
from harness.worker.hooks import Hooks
from toolkit.core.settings import GenerateConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

SEED, STEPS, GUIDANCE, SCALE = 40, 4, 5.0, 0.5
WIDTH, HEIGHT = 96, 64


@dataclass
class Drawn:
    """What one call of ``generate`` did."""

    config: GenerateConfig
    sketcher: Sketcher
    decoder: Decoder
    pictures: list[Image]
    generators: str
    changed: str


class Studio:
    """A pipeline with an adapter, on which pictures are drawn.

    Args:
        context: The run.
        hooks: Whose ``make_lora`` and ``generate`` are called.
    """

    def __init__(self, context: Context, hooks: Hooks) -> None:
        self.context, self.hooks = context, hooks
        small = small_text_encoder(context)
        self.pipeline: StableDiffusionPipeline = context.workshop.tiny(
            Spy(context.finder), text_encoder=small
        )
        self.pipeline.unet.spy = None
        self.adapter = attach(context, self.pipeline, hooks)
        for model in (self.pipeline.unet, self.adapter):
            model.eval()
        # The reference's adapter can be scaled; one that cannot is drawn with as it is.
        self.can_be_scaled = any(hasattr(m, "lora_scale") for m in self.adapter.modules())
        texts = [*PROMPTS, NEGATIVE, ""]
        self.texts = embedded(self.pipeline, texts)

    def draw(
        self,
        *,
        loud: float = 1.0,
        training: bool = False,
        count: int = len(PROMPTS),
        disturbed: bool = False,
        **changes: Any,
    ) -> Drawn:
        """Draw some pictures with everything watched; ``disturbed`` in another state of chance."""
        if disturbed:
            disturb()
        settings = self.context.hooks.owner.file.settings.generate.model_dump()
        plain = {
            "num_inference_steps": STEPS,
            "guidance_scale": GUIDANCE,
            "negative_prompt": NEGATIVE,
            "lora_scale": SCALE if self.can_be_scaled else 1.0,
            "seed": SEED,
            "width": WIDTH,
            "height": HEIGHT,
        }
        config = GenerateConfig(**{**settings, **plain, **changes})
        self.pipeline.vae.decoder = decoder = Decoder().eval()
        self.pipeline.unet.stand_in = sketcher = Sketcher(self.texts, self.adapter, loud)
        self.pipeline.unet.train(training)
        before, state = random_states(), self.state()
        pictures = self.hooks.call(
            "generate",
            pipeline=self.pipeline,
            adapter=self.adapter,
            prompts=list(PROMPTS[:count]),
            config=config,
        )
        return Drawn(
            config=config,
            sketcher=sketcher,
            decoder=decoder,
            pictures=list(pictures),
            generators=moved(before, random_states()),
            changed=changed(state, self.state()),
        )

    def state(self) -> dict[str, str]:
        """Return what a drawing must leave as it was."""
        vae = self.pipeline.vae
        return {
            **state_of(self.pipeline, self.adapter),
            "the VAE's tiling": f"{vae.use_tiling}, {vae.use_slicing}",
        }
