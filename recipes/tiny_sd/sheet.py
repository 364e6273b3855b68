"""The landed autoencoder and a run's, side by side, on pictures that neither has seen.

    python -m recipes.tiny_sd.sheet --run DIR

Writes ``autoencoders.json`` and ``autoencoders.webp`` into ``recipes/tiny_sd/reference``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import torch
from diffusers import AutoencoderKL

from .files import write_json
from .latents import finished_vae
from .pictures import save_grid
from .reference import FOLDER, load_reference
from .settings import Recipe
from .track_pictures import NAMES, track_pictures
from .vae import psnr, reconstruct

LANDED: Final = Path(__file__).resolve().parents[2] / "models" / "tiny-sd" / "vae"
SHOWN: Final = 12  # pictures of each kind: original, landed, run


def compare(run: Path) -> None:
    """Measure both autoencoders and draw the sheet."""
    recipe = Recipe()
    trained, steps = finished_vae(recipe, run)
    vaes = {"landed": AutoencoderKL.from_pretrained(LANDED, dtype=torch.float32), "run": trained}
    kinds = {"held-out drawings": load_reference().held_out}
    kinds.update({name: track_pictures(name) for name in NAMES})
    figures: dict[str, dict[str, float]] = {name: {} for name in vaes}
    rows = []
    for kind, pixel_values in kinds.items():
        rows.append(pixel_values[:SHOWN])
        for name, vae in vaes.items():
            reconstruction = reconstruct(vae, pixel_values)  # (N, 3, H, W)
            figures[name][kind] = round(float(psnr(pixel_values, reconstruction).mean()), 2)
            rows.append(reconstruction[:SHOWN])
    pictures = steps * recipe.vae.batch_size
    write_json(FOLDER / "autoencoders.json", {"psnr_db": figures, "run_pictures": pictures})
    save_grid(torch.cat(rows), FOLDER / "autoencoders.webp", columns=SHOWN)
    print(figures)


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    compare(parser.parse_args().run)


if __name__ == "__main__":
    main()
