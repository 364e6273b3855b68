"""Command line: ``python -m recipes.tiny_sd STAGE [--run DIR] [--toy] [--packages DIR]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .settings import SIZES, Recipe

if TYPE_CHECKING:
    from .stages import Context

LANDED_SIZE: Final = "full"
ROOT: Final = Path(__file__).resolve().parents[2]
# Spelt out here, so that --help need not import torch; a test compares them with stages.py.
STAGE_NAMES: Final = (
    "corpus", "tokenizer", "vae", "latents", "unet", "decoder", "export", "evaluate",
)  # fmt: skip
EXTRA_STAGE_NAMES: Final = ("adopt",)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    arguments = argparse.ArgumentParser(
        prog="python -m recipes.tiny_sd",
        description="Make models/tiny-sd, a stage at a time. Every stage resumes after a kill.",
    )
    arguments.add_argument(
        "stage",
        choices=[*STAGE_NAMES, "all", *EXTRA_STAGE_NAMES],
        help="`all` does those before it in this order; `adopt` makes a run from --model",
    )
    arguments.add_argument(
        "--run",
        type=Path,
        default=None,
        help="folder of checkpoints, previews and logs (default: runs/tiny_sd; of another --size "
        "runs/tiny_sd-SIZE)",
    )
    arguments.add_argument(
        "--packages",
        type=Path,
        default=None,
        help="folder with the npm tarballs (default: fetched into --run)",
    )
    arguments.add_argument(
        "--model",
        type=Path,
        default=None,
        help="model folder (default: models/tiny-sd; with --toy or another --size in --run)",
    )
    arguments.add_argument(
        "--size",
        choices=SIZES,
        default=LANDED_SIZE,
        help="width of the U-Net; a half one tells whether a finding carries over",
    )
    arguments.add_argument(
        "--toy", action="store_true", help="seconds instead of hours, to see that it works"
    )
    arguments.add_argument(
        "--steps", type=int, default=None, help="train this stage until so many steps"
    )
    arguments.add_argument(
        "--decay-steps", type=int, default=None, help="steps of falling rate at the end"
    )
    arguments.add_argument("--threads", type=int, default=None, help="CPU threads (default: all)")
    arguments.add_argument(
        "--share-cpu",
        action="store_true",
        help="change the number of threads as other programs come and go",
    )
    return arguments


def chosen_recipe(arguments: argparse.Namespace) -> Recipe:
    """Apply the options to the recipe."""
    recipe = (Recipe.toy() if arguments.toy else Recipe()).sized(arguments.size)
    recipe = replace(recipe, share_cpu=arguments.share_cpu)
    lengths = {}
    if arguments.steps is not None:
        lengths["train_steps"] = arguments.steps
    if arguments.decay_steps is not None:
        lengths["decay_steps"] = arguments.decay_steps
    if arguments.stage == "vae":
        return replace(recipe, vae=replace(recipe.vae, **lengths))
    if arguments.stage == "unet":
        return replace(recipe, unet=replace(recipe.unet, **lengths))
    if arguments.stage == "decoder" and arguments.steps is not None:
        return replace(recipe, decoder_steps=arguments.steps)
    return recipe


def chosen_run(arguments: argparse.Namespace) -> Path:
    """Return the run's folder; sizes do not share one, for they share no checkpoint."""
    of_size = "tiny_sd" if arguments.size == LANDED_SIZE else f"tiny_sd-{arguments.size}"
    folder: Path = arguments.run or ROOT / "runs" / of_size
    return folder


def chosen_model(arguments: argparse.Namespace) -> Path:
    """Return the model's folder; only the landed size goes into the repository by itself."""
    if arguments.model is not None:
        folder: Path = arguments.model
        return folder
    if arguments.toy or arguments.size != LANDED_SIZE:
        return chosen_run(arguments) / "model"
    return ROOT / "models" / "tiny-sd"


def main() -> None:
    """Run one stage or all of them."""
    arguments = parser().parse_args()
    import torch

    from .reference import FOLDER as REFERENCE_FOLDER
    from .stages import EXTRA_STAGES, STAGES, Context

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    run = chosen_run(arguments)
    context = Context(
        recipe=chosen_recipe(arguments),
        run=run,
        packages=arguments.packages or run / "packages",
        model=chosen_model(arguments),
        reference=run / "reference" if arguments.toy else REFERENCE_FOLDER,
    )
    names = list(STAGE_NAMES) if arguments.stage == "all" else [arguments.stage]
    for name in names:
        stage: Callable[[Context], None] = {**STAGES, **EXTRA_STAGES}[name]
        stage(context)


if __name__ == "__main__":
    main()
