"""Stage "export": the averaged weights of all stages in diffusers layout, with hashes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL

from .files import read_json, write_json
from .layout import save_pipeline
from .models import build_text_encoder, build_unet
from .settings import Recipe
from .tokenizer import build_tokenizer, load_merges
from .training import TrainState

PROVENANCE = "training.json"


def export(recipe: Recipe, run: Path, folder: Path) -> None:
    """Write the pipeline and ``training.json``, which says what it was made from.

    Args:
        recipe: Settings the run was trained with.
        run: Folder of the run.
        folder: Where the model goes.
    """
    merges = load_merges(run / "tokenizer")
    unet = build_unet(recipe.unet)
    text_encoder = build_text_encoder(recipe.unet, len(build_tokenizer(merges)))
    state = TrainState({"unet": unet, "text_encoder": text_encoder})
    state.load(run / "unet.safetensors")
    state.swap_average()
    vae = AutoencoderKL.from_pretrained(run / "vae")
    save_pipeline(folder, vae, unet, text_encoder, merges)
    write_json(folder / PROVENANCE, provenance(recipe, run, folder, state.step))


def provenance(recipe: Recipe, run: Path, folder: Path, unet_steps: int) -> dict[str, Any]:
    """Collect seeds, amounts of training and hashes."""
    vae_state = read_json(run / "vae.json")
    return {
        "corpus_sha256": read_json(run / "corpus.json")["sha256"],
        "seeds": {"vae": recipe.vae.seed, "unet": recipe.unet.seed},
        "vae_pictures": vae_state["steps"] * recipe.vae.batch_size,
        "decoder_pictures": vae_state.get("decoder_steps", 0) * recipe.vae.batch_size,
        "unet_samples": unet_steps * recipe.unet.batch_size,
        "unet_held_out_loss": held_out_losses(run, recipe.unet.batch_size),
        "files_sha256": file_hashes(folder),
    }


def held_out_losses(run: Path, batch_size: int) -> dict[str, float]:
    """Return the averaged weights' loss on pictures kept out of the training, by samples seen.

    Args:
        run: Folder of the run; before it began from landed weights it knows nothing.
        batch_size: Samples of a step.
    """
    found: dict[str, float] = {}
    for line in (run / "unet.jsonl").read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        if "held_out_loss" in one:
            found[str(one["step"] * batch_size)] = round(one["held_out_loss"], 5)
    return found


def file_hashes(folder: Path) -> dict[str, str]:
    """Hash every weight and tokenizer file of a model folder."""
    chosen = [*folder.glob("*/*.safetensors"), *folder.glob("tokenizer/*")]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(chosen)
    }
