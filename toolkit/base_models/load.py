"""Load a pipeline in float32 from a folder, a checkpoint file or a Hugging Face id."""

from __future__ import annotations

import atexit
import gc
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.base_models.diffusers import finished, quiet_diffusers
from toolkit.base_models.family import refuse_other_families
from toolkit.core.errors import BaseModelError
from toolkit.core.hub_ids import PICKLES, is_hub_id

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# A base and its libraries are a million objects, and a process that ends would look through them
# for garbage one last time, for most of a second. Told at its end, it does not.
atexit.register(gc.freeze)


def load_pipeline(base: str | Path) -> StableDiffusionPipeline:
    """Load a base model in float32 and eval mode, from safetensors only.

    Args:
        base: A folder in diffusers layout, a ``.safetensors`` checkpoint, or a Hugging Face id such
            as ``CompVis/stable-diffusion-v1-4``. What exists on disk is never asked of the network.

    Raises:
        BaseModelError: It is not there, not complete, damaged, a pickle, or cannot be fetched.
    """
    path = locate(base)
    if path.is_dir():
        return load_folder(path)
    from .checkpoint import load_checkpoint

    return load_checkpoint(path)


def locate(base: str | Path) -> Path:
    """Return the folder or file of a base; one named by its Hugging Face id is fetched first.

    No torch is needed.

    Raises:
        BaseModelError: It is not there, a pickle, or cannot be fetched.
    """
    path = Path(base)
    if path.is_dir():
        return path
    if path.is_file():
        refuse_pickle(path)
        return path
    if is_hub_id(str(base)):
        from .hub import fetch

        return fetch(str(base))
    raise BaseModelError(
        f"There is no base model in {base}.",
        fix="Give the folder of a diffusers model, a .safetensors checkpoint, or a Hugging Face id "
        "such as CompVis/stable-diffusion-v1-4.",
    )


def refuse_pickle(path: Path) -> None:
    """Refuse formats whose reading runs code.

    Raises:
        BaseModelError: The file is no .safetensors file.
    """
    if path.suffix.lower() == ".safetensors":
        return
    if path.suffix.lower() not in PICKLES:
        raise BaseModelError(
            "The file is no base model.",
            where=str(path),
            fix="Give the folder of a diffusers model, or a .safetensors checkpoint.",
        )
    raise BaseModelError(
        "The file is a pickle: reading it would run whatever code it holds.",
        where=str(path),
        fix="Most models are offered as .safetensors too. Otherwise convert it, somewhere with "
        "nothing to lose:\n"
        '       python -c "import torch; from safetensors.torch import save_file; s = torch.load('
        f"'{path.name}', map_location='cpu', weights_only=True); s = s.get('state_dict', s); "
        "save_file({k: v.contiguous() for k, v in s.items() if hasattr(v, 'shape')}, "
        f"'{path.stem}.safetensors')\"",
    )


def load_folder(folder: Path) -> StableDiffusionPipeline:
    """Load a model in diffusers layout, without asking the network for anything.

    Raises:
        BaseModelError: No pipeline there, weights missing or damaged, or of another kind.
    """
    if not (folder / "model_index.json").is_file():
        raise BaseModelError(
            f"There is no base model in {folder} (it would have a model_index.json).",
            fix="Give the folder of a Stable Diffusion 1.x model in diffusers layout.",
        )
    refuse_other_families(folder)
    from .complete import PARTS, check_folder_weights, tensor_names

    for part in PARTS:
        tensor_names(folder / part)  # a damaged file is named before gigabytes are read
    diffusers = quiet_diffusers()
    import torch
    from safetensors import SafetensorError

    try:
        # float32 said aloud: a folder may hold float16 weights, and they would stay float16.
        pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise BaseModelError(
            f"The base model cannot be loaded: {error}",
            where=str(folder),
            fix="Fetch or copy the folder again.",
        ) from error
    check_folder_weights(pipeline, folder)
    return finished(pipeline)
