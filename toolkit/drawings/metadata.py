"""The text in a PNG that records how it was made.

parameters   the text A1111 writes and other programs and model sites read
hub          JSON: everything needed to draw the very same picture again
"""

from __future__ import annotations

import re
import unicodedata
from importlib.metadata import version
from pathlib import Path
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import Field, ValidationError

from toolkit.core import atomic
from toolkit.core.errors import UsageError
from toolkit.core.record import Record
from toolkit.core.settings import GenerateConfig, HookName, SchedulerName
from toolkit.images.guarded import guarded
from toolkit.images.sheet import UNREADABLE

KEY: Final = "hub"
PACKAGES: Final = ("torch", "diffusers", "transformers")

# A1111's names of the samplers, by the scheduler classes of diffusers.
SAMPLERS: Final = {
    "PNDMScheduler": "PLMS",
    "DDIMScheduler": "DDIM",
    "EulerDiscreteScheduler": "Euler",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "LMSDiscreteScheduler": "LMS",
    "HeunDiscreteScheduler": "Heun",
    "UniPCMultistepScheduler": "UniPC",
}

# The class behind each name that `scheduler` may have.
SCHEDULERS: Final[dict[SchedulerName, str]] = {
    "pndm": "PNDMScheduler",
    "ddim": "DDIMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_a": "EulerAncestralDiscreteScheduler",
    "dpm++_2m": "DPMSolverMultistepScheduler",
    "lms": "LMSDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "unipc": "UniPCMultistepScheduler",
}


class LoraUse(Record):
    """One LoRA file that was added to the base."""

    file: Path = Field(description="path as it was typed")
    weight: float = Field(default=1.0, description="times the strength it was trained with")
    sha256: str = Field(description="of its tensors, as kohya's sshs_model_hash")

    @property
    def name(self) -> str:
        """The name that prompts and web pages use: the file's, without its ending."""
        return self.file.stem


class Drawing(Record):
    """One call of ``generate``, and which of its pictures this is.

    A picture may depend in its last bits on those drawn beside it, so all prompts are here.
    """

    prompts: tuple[str, ...] = Field(min_length=1)
    place: int = Field(ge=0, description="index of this picture's prompt")
    config: GenerateConfig = Field(description="its seed is the first picture's")
    sampler: str = Field(description="class of the scheduler")
    base: str = Field(description="as it was given: folder, file or Hugging Face id")
    base_sha256: str = Field(description="over the base's weights in float32")
    loras: tuple[LoraUse, ...] = ()
    contribution: str | None = Field(default=None, description="whose hooks drew it")
    origins: dict[HookName, str] = Field(default={}, description="hook -> whose code ran")
    settings_from: dict[HookName, tuple[str, ...]] = Field(
        default={}, description="hook -> whose settings, the last wins; none: the hub's defaults"
    )
    adapter_sha256: str | None = Field(default=None, description="of its trained adapter's tensors")
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """This picture's prompt."""
        return self.prompts[self.place]

    @property
    def seed(self) -> int:
        """This picture's own seed."""
        return self.config.seed + self.place

    @property
    def base_name(self) -> str:
        """The base in a word."""
        return Path(self.base).stem if self.base.endswith(".safetensors") else Path(self.base).name


def package_versions() -> dict[str, str]:
    """Return the versions on which pixels depend."""
    return {name: version(name) for name in PACKAGES}


def a1111_parameters(drawing: Drawing) -> str:
    """Describe how a picture was made in the form that A1111 writes and other tools read."""
    config = drawing.config
    tags = "".join(f" <lora:{use.name}:{use.weight:g}>" for use in drawing.loras)
    lines = [drawing.prompt + tags]
    if config.negative_prompt:
        lines.append(f"Negative prompt: {config.negative_prompt}")
    model = f"{drawing.base_name} + {drawing.contribution}" if drawing.contribution else None
    entries = {
        "Steps": config.num_inference_steps,
        "Sampler": SAMPLERS.get(drawing.sampler, drawing.sampler),
        "CFG scale": f"{config.guidance_scale:g}",
        "Seed": drawing.seed,
        "Size": f"{config.width}x{config.height}",
        "Model hash": drawing.base_sha256[:10],
        "Model": model or drawing.base_name,
    }
    if drawing.loras:
        hashes = ", ".join(f"{use.name}: {use.sha256[:12]}" for use in drawing.loras)
        entries["Lora hashes"] = f'"{hashes}"'
    if config.lora_scale != 1:
        entries["LoRA scale"] = f"{config.lora_scale:g}"
    lines.append(", ".join(f"{name}: {value}" for name, value in entries.items()))
    return "\n".join(lines)


def save_picture(picture: Image.Image, path: Path, drawing: Drawing) -> None:
    """Write a picture as PNG with the text by which it can be made again."""
    text = PngInfo()
    text.add_itxt("parameters", a1111_parameters(drawing))
    text.add_itxt(KEY, drawing.model_dump_json())
    with atomic.replacing(path) as temporary:
        picture.save(temporary, "PNG", pnginfo=text)


def read_drawing(path: Path) -> Drawing:
    """Return what a PNG of ``save_picture`` says about itself.

    Raises:
        UsageError: It is no PNG, or says nothing that the hub can use.
    """
    try:
        with guarded(), Image.open(path, formats=("PNG",)) as picture:
            picture.load()  # text may stand behind the pixels
            text = getattr(picture, "text", {}).get(KEY)
    except UNREADABLE as error:
        raise UsageError(f"The picture cannot be read: {error}", where=str(path)) from error
    if text is None:
        raise UsageError(
            "The picture does not say how the hub made it.",
            where=str(path),
            fix="Give a PNG that `generate` wrote, not one saved again by another program.",
        )
    try:
        return Drawing.model_validate_json(str(text))
    except ValidationError as error:
        raise UsageError(
            f"What the picture says about itself is not understood: {error.errors()[0]['msg']}.",
            where=str(path),
            fix="It was made by another version of the hub.",
        ) from error


def picture_name(drawing: Drawing) -> str:
    """Return a file name that begins with the prompt, in its own script, and ends with the seed."""
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", drawing.prompt.lower())).strip("-")
    # File systems count bytes, and a Cyrillic letter has two.
    words = words[:60].encode()[:180].decode(errors="ignore").strip("-")
    return f"{words or 'picture'}-{drawing.seed}.png"


def free_name(path: Path, drawing: Drawing | None = None) -> Path:
    """Return a name that replaces no other picture: with a number if the name is taken.

    Args:
        path: The name to begin with.
        drawing: A file that says it is this very picture may be replaced.
    """
    number, found = 1, path
    while found.exists() and not (drawing and is_same(found, drawing)):
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found


def is_same(path: Path, drawing: Drawing) -> bool:
    """Tell whether a file is the picture that a drawing describes, by what it says."""
    try:
        return alone(read_drawing(path)) == alone(drawing)
    except UsageError:
        return False


def alone(drawing: Drawing) -> Drawing:
    """Return a drawing without what its pixels do not come from."""
    return drawing.model_copy(update={"versions": {}})
