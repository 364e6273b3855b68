"""The options reach the recipe."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from recipes.tiny_sd.__main__ import (
    EXTRA_STAGE_NAMES,
    STAGE_NAMES,
    chosen_model,
    chosen_recipe,
    chosen_run,
    parser,
)
from recipes.tiny_sd.settings import Recipe
from recipes.tiny_sd.stages import EXTRA_STAGES, STAGES


def test_steps_belong_to_the_chosen_stage_only() -> None:
    arguments = parser().parse_args(["unet", "--steps", "7", "--decay-steps", "3", "--share-cpu"])
    recipe = chosen_recipe(arguments)
    assert (recipe.unet.train_steps, recipe.unet.decay_steps) == (7, 3)
    assert recipe.vae == Recipe().vae
    assert recipe.share_cpu


def test_toy_is_small() -> None:
    recipe = chosen_recipe(parser().parse_args(["all", "--toy", "--run", "x"]))
    assert recipe == Recipe.toy()
    assert recipe.unet.train_steps < 10


def test_another_size_changes_the_width_only_and_stays_out_of_the_repository() -> None:
    half = parser().parse_args(["unet", "--size", "half"])
    recipe, landed = chosen_recipe(half), Recipe()
    assert recipe.unet.widths == (32, 64)
    assert replace(recipe, unet=replace(recipe.unet, widths=landed.unet.widths)) == landed
    assert chosen_run(half).name == "tiny_sd-half"
    assert chosen_model(half) == chosen_run(half) / "model"
    full = parser().parse_args(["unet"])
    assert chosen_recipe(full) == landed
    assert chosen_model(full).parts[-2:] == ("models", "tiny-sd")


def test_the_command_line_knows_the_stages_in_their_order() -> None:
    assert list(STAGE_NAMES) == list(STAGES)
    assert list(EXTRA_STAGE_NAMES) == list(EXTRA_STAGES)


def test_help_does_not_import_torch() -> None:
    code = "import sys; import recipes.tiny_sd.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_stage_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "base_model.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in STAGES)


def test_an_unknown_stage_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["train"])
    assert "unet" in capsys.readouterr().err
