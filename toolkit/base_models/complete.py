"""Check that every weight of a loaded model came from its file.

transformers fills what is missing with random numbers and says so in the middle of its log: a whole
text encoder can be random that way, when another version has saved it under other names. Here a
missing weight is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.core.errors import BaseModelError, HubError
from toolkit.lora_files.header import read_header
from toolkit.lora_files.names import TEXT_MODEL

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PARTS: Final = ("unet", "vae", "text_encoder")

# What diffusers before 0.12 called the layers of the VAE's attention; it still reads them.
OLD_ATTENTION: Final = {
    ".to_q.": ".query.",
    ".to_k.": ".key.",
    ".to_v.": ".value.",
    ".to_out.0.": ".proj_attn.",
}


def check_folder_weights(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """Compare a pipeline's weights with the names in the files that it was loaded from.

    Raises:
        BaseModelError: Weights are missing; the message counts and names them.
    """
    for part in PARTS:
        check_names(part, getattr(pipeline, part).state_dict(), tensor_names(folder / part))


def check_names(part: str, wanted: Iterable[str], found: set[str]) -> None:
    """Raise an error that names the weights that are wanted and not found, if there are any."""
    missing = [name for name in wanted if not spellings(name) & found]
    if missing:
        raise BaseModelError(
            f"{len(missing)} weights of the {part} are not in its file, first {missing[0]}.",
            where=part,
            fix="They would be random numbers. Fetch the model again, or save it again with the "
            "versions of diffusers and transformers in requirements.txt.",
        )


def spellings(name: str) -> set[str]:
    """Return the names under which a weight may be in a file."""
    names = {name, TEXT_MODEL + name, name.removeprefix(TEXT_MODEL)}
    for new, old in OLD_ATTENTION.items():
        names.add(name.replace(new, old))
    return names


def tensor_names(folder: Path) -> set[str]:
    """Return the names of the tensors in the files that diffusers loads from a part's folder.

    Raises:
        BaseModelError: There is no .safetensors file, or a damaged one.
    """
    files = [path for path in sorted(folder.glob("*.safetensors")) if ".fp16." not in path.name]
    if not files:
        raise BaseModelError(
            f"The base model's {folder.name}/ holds no .safetensors weights.",
            where=str(folder),
            fix="Weights in .bin or .ckpt are pickles, whose reading runs code: fetch the model's "
            ".safetensors files. Files called *.fp16.safetensors have to lose the .fp16.",
        )
    try:
        return {name for path in files for name in read_header(path, size_limit=None).tensors}
    except HubError as error:
        raise BaseModelError(error.what, where=error.where, fix=error.fix) from error
