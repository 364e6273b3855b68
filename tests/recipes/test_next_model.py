"""What the card of the second base says is what was measured."""

import json
import re
import shutil
from pathlib import Path

from recipes.tiny_sd.card import write_card
from recipes.tiny_sd.export import file_hashes

MODELS = Path(__file__).resolve().parents[2] / "models"


def test_the_card_is_what_the_recipe_writes_of_it(tmp_path):
    for name in ("tiny-sd", "tiny-sd-next"):
        shutil.copytree(
            MODELS / name, tmp_path / name, ignore=shutil.ignore_patterns("*.safetensors")
        )
    card = tmp_path / "tiny-sd-next" / "README.md"
    card.unlink()
    write_card(card.parent)
    assert card.read_bytes() == (MODELS / "tiny-sd-next" / "README.md").read_bytes()


def test_the_card_lists_the_hash_of_every_file():
    folder = MODELS / "tiny-sd-next"
    card, hashes = (folder / "README.md").read_text(encoding="utf-8"), file_hashes(folder)
    assert json.loads((folder / "training.json").read_text())["files_sha256"] == hashes
    assert all(f"{value}  {key}" in card for key, value in hashes.items())


def test_the_cards_figures_are_those_of_the_evaluations():
    card = (MODELS / "tiny-sd-next" / "README.md").read_text(encoding="utf-8")
    beside = card.partition("Beside the first base:")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+)%? \| ([\d.]+)%? \|$", beside, re.MULTILINE)
    old, new = (
        json.loads((MODELS / name / "evaluation.json").read_text())
        for name in ("tiny-sd", "tiny-sd-next")
    )
    told = {what: (float(one), float(other)) for what, one, other in rows}

    def both(setting, figure):
        return tuple(
            round(100 * found["guidance"][place][figure], 1)
            for found, place in zip((old, new), setting, strict=True)
        )

    asked, defaults = ("3, 30 steps",) * 2, ("7.5, 30 steps", "7.5, 50 steps")
    expected = [
        tuple(round(found["autoencoder"]["psnr_db_mean"], 1) for found in (old, new)),
        both(asked, "concept_top5"),
        both(asked, "style"),
        both(asked, "background"),
        both(defaults, "concept_top5"),
        both(defaults, "background"),
    ]
    assert len(told) == len(expected)
    for (what, figures), wanted in zip(told.items(), expected, strict=True):
        assert all(abs(a - b) <= 0.5 for a, b in zip(figures, wanted, strict=True)), what
