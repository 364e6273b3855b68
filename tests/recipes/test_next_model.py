"""What the card of the second base says is what was measured."""

import json
import re
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2] / "models"


def test_the_cards_figures_are_those_of_the_evaluations():
    card = (MODELS / "tiny-sd-next" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+)%? \| ([\d.]+)%? \|$", card, re.MULTILINE)
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
