r"""The command line of drawing: any base, any LoRA files, any number of pictures.

    python -m src.generate --lora robot.safetensors:0.8 --lora style.safetensors \
        --prompt "a sks robot on a beach" --count 4

Each picture is a PNG that says how it was made; ``--again PICTURE`` draws it once more.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from toolkit.base_models.device import device_name
from toolkit.base_models.load import locate
from toolkit.base_models.timesteps import late_note, refuse_steps
from toolkit.core.command_line import exit_code
from toolkit.core.config_file import add_config_option, expanded
from toolkit.core.errors import HubError, UsageError
from toolkit.core.idle import refuse_idle, typed_names
from toolkit.core.parser import Parser
from toolkit.core.settings import GenerateConfig
from toolkit.drawings.grid import save_all
from toolkit.drawings.loras import check_unchanged, parse_lora
from toolkit.drawings.metadata import (
    SCHEDULERS,
    Drawing,
    LoraUse,
    free_name,
    package_versions,
    picture_name,
    read_drawing,
    save_picture,
)
from toolkit.drawings.prompts import NEGATIVE_NEEDS, prompt_notes, refuse_tags

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image
    from torch import nn


# Field of GenerateConfig -> the option that a person typed.
OPTION_OF = {
    "num_inference_steps": "--steps",
    "guidance_scale": "--guidance",
    "lora_scale": "--scale",
    "negative_prompt": "--negative",
    **{field: f"--{field}" for field in ("scheduler", "seed", "width", "height")},
}
# What a drawing from a picture's own text still takes: everything else is in the text.
AGAIN = frozenset({"again", "out", "device", "config"})


def build_parser() -> Parser:
    """Return the parser; the defaults are those of toolkit/core/settings.py."""
    config = GenerateConfig()
    parser = Parser(
        prog="python -m src.generate", description="Draw pictures with a base and LoRA files."
    )
    add = parser.add_argument
    add("--base", default="models/tiny-sd", help="folder, .safetensors file or Hugging Face id")
    add("--lora", action="append", default=[], metavar="FILE[:WEIGHT]", help="may be repeated")
    add("--prompt", action="append", default=[], help="what to draw; may be repeated")
    add("--negative", default=config.negative_prompt, help="what the picture should not show")
    add("--count", type=int, default=1, help="pictures per prompt (default: %(default)s)")
    add("--seed", type=int, default=config.seed, help="of the first picture; then it counts up")
    add("--steps", type=int, default=config.num_inference_steps, help="default: %(default)s")
    add("--guidance", type=float, default=config.guidance_scale, help="default: %(default)s")
    add("--scale", type=float, default=1.0, help="times the weight of every LoRA; 0 is the base")
    add("--scheduler", help="pndm, ddim, euler, euler_a, dpm++_2m, ...; default: the base's own")
    add("--width", type=int, help="in pixels; default: what the base was trained with")
    add("--height", type=int, help="in pixels; default: the width")
    add("--out", type=Path, default=Path("runs/pictures"), help="folder (default: %(default)s)")
    add("--again", type=Path, metavar="PNG", help="draw this picture again, from its own text")
    device = "cpu, cuda, cuda:1 or mps (default: %(default)s)"
    add("--device", default="cpu", type=device_name, help=device)
    add_config_option(parser)
    return parser


def parse_options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options, and in ``typed`` which of them were typed or came from a recipe."""
    parser = build_parser()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        words = expanded(words, "generate", parser)
    except HubError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    options = parser.parse_args(words)
    if not options.prompt and options.again is None:
        parser.error('say what to draw: --prompt "a sks robot on a beach"')
    if options.count < 1:
        parser.error("--count is at least 1")
    options.typed = typed_names(build_parser(), words)
    return options


def idle_options(options: argparse.Namespace) -> dict[str, bool]:
    """Return what would give typed options an effect, and whether it is missing."""
    if options.again is not None:
        beside = ", ".join(f"--{name}" for name in sorted(options.typed - AGAIN))
        what = f"{beside} beside --again, which draws what the picture's own text says"
        return {what: bool(beside)}
    return {
        "--scale needs a --lora": "scale" in options.typed and not options.lora,
        NEGATIVE_NEEDS: bool(options.negative) and options.guidance <= 1,
    }


class Generate(Protocol):
    """The ``generate`` hook, whose code is not the toolkit's."""

    def __call__(
        self,
        *,
        pipeline: StableDiffusionPipeline,
        adapter: nn.Module,
        prompts: Sequence[str],
        config: GenerateConfig,
    ) -> list[Image]:
        """Draw one picture per prompt."""


def main(generate: Generate, batch_size: int, argv: Sequence[str] | None = None) -> int:
    """Draw; return 0, or a message and 1 (something failed) or 2 (a wrong call).

    Args:
        generate: Draws one picture per prompt.
        batch_size: How many it draws at once; those beside a picture change its last bits.
        argv: The words of the command line; None takes the program's own.
    """
    options = parse_options(argv)

    def command() -> int:
        refuse_idle(idle_options(options))
        if options.again is not None:
            paths = draw_again(options, generate)
        else:
            paths = draw_new(options, generate, batch_size)
        print("\n".join(map(str, paths)))
        return 0

    return exit_code(
        command, stopped="stopped; nothing half-written is left behind", options=OPTION_OF
    )


def draw_new(options: argparse.Namespace, generate: Generate, batch_size: int) -> list[Path]:
    """Draw what the options ask for; return the files, the grid last when there are several."""
    uses = tuple(parse_lora(text) for text in options.lora)
    # Checked before anything is loaded; the size follows from the base.
    config = GenerateConfig(
        num_inference_steps=options.steps,
        guidance_scale=options.guidance,
        negative_prompt=options.negative,
        lora_scale=options.scale,
        scheduler=options.scheduler,
        seed=options.seed,
        **size_of(options, 512),
    )
    prompts = tuple(prompt for prompt in options.prompt for _ in range(options.count))
    refuse_steps(config, locate(options.base))
    refuse_tags(prompts, config)
    for note in filter(
        None, (*prompt_notes(prompts, config), late_note(config, locate(options.base)))
    ):
        print(note, file=sys.stderr)
    pipeline = load(options.base, options.device)
    if options.width is None:
        side_px = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
        config = config.model_copy(update=size_of(options, side_px))
    drawing = Drawing(
        prompts=prompts,
        place=0,
        config=config,
        sampler=sampler_name(pipeline, config),
        base=options.base,
        base_sha256=add_to_base(pipeline, uses, config),
        loras=uses,
        versions=package_versions(),
    )
    pictures = draw(generate, pipeline, prompts, config)
    drawings = [batch_of(drawing, place, batch_size) for place in range(len(prompts))]
    return save_all(pictures, drawings, options.count, options.out)


def size_of(options: argparse.Namespace, side_px: int) -> dict[str, int]:
    """Return width and height: what was typed, 0 too, so that its range is checked."""
    width = side_px if options.width is None else options.width
    return {"width": width, "height": width if options.height is None else options.height}


def draw_again(options: argparse.Namespace, generate: Generate) -> list[Path]:
    """Draw a picture once more from what its PNG says; return the new file.

    Raises:
        UsageError: A LoRA file or the base is not what it was.
    """
    drawing = read_drawing(options.again)
    for use in drawing.loras:
        check_unchanged(use)
    if drawing.contribution:
        raise UsageError(
            f"{options.again.name} was drawn by the contribution {drawing.contribution}.",
            fix=f"nox -s generate -- {drawing.contribution} ... with the settings in its text.",
        )
    pipeline = load(drawing.base, options.device)
    if add_to_base(pipeline, drawing.loras, drawing.config) != drawing.base_sha256:
        raise UsageError(
            f"The base {drawing.base} is not the one that the picture was drawn with.",
            fix=f"That one's weights have the SHA-256 {drawing.base_sha256}.",
        )
    picture = draw(generate, pipeline, drawing.prompts, drawing.config)[drawing.place]
    path = free_name(options.out / picture_name(drawing), drawing)
    if path.resolve() == options.again.resolve():
        raise UsageError("The new picture would replace the old one.", fix="Name another --out.")
    save_picture(picture, path, drawing.model_copy(update={"versions": package_versions()}))
    return [path]


def load(base: str, device: str) -> StableDiffusionPipeline:
    """Load a base and move it to its device."""
    from toolkit.base_models.device import pick_device
    from toolkit.base_models.load import load_pipeline

    return load_pipeline(base).to(pick_device(device))


def add_to_base(
    pipeline: StableDiffusionPipeline, uses: tuple[LoraUse, ...], config: GenerateConfig
) -> str:
    """Add LoRA files to a pipeline's weights; return the hash of the weights before."""
    from toolkit.base_models.identity import base_hash
    from toolkit.drawings.loras import add_loras

    sha256 = base_hash(pipeline)
    scaled = [u.model_copy(update={"weight": u.weight * config.lora_scale}) for u in uses]
    add_loras(pipeline, tuple(scaled))
    return sha256


def draw(
    generate: Generate,
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str],
    config: GenerateConfig,
) -> list[Image]:
    """Call ``generate``; the LoRAs are in the weights, so there is no adapter to scale."""
    from torch import nn

    at_full_strength = config.model_copy(update={"lora_scale": 1.0})
    return generate(
        pipeline=pipeline, adapter=nn.ModuleDict(), prompts=prompts, config=at_full_strength
    )


def batch_of(drawing: Drawing, place: int, batch_size: int) -> Drawing:
    """Return the same picture as one of its own batch alone: batches do not touch each other."""
    first = place - place % batch_size
    seed = drawing.config.seed + first
    return drawing.model_copy(
        update={
            "prompts": drawing.prompts[first : first + batch_size],
            "place": place - first,
            "config": drawing.config.model_copy(update={"seed": seed}),
        }
    )


def sampler_name(pipeline: StableDiffusionPipeline, config: GenerateConfig) -> str:
    """Return the class of the scheduler that will be used."""
    return SCHEDULERS[config.scheduler] if config.scheduler else type(pipeline.scheduler).__name__
