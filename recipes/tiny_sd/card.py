"""The model card: written from the measurements, so that it can not disagree with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.core.atomic import write_text
from toolkit.core.templates import render

from .export import PROVENANCE
from .files import read_json
from .packages import read_packages
from .vocabulary import BACKGROUNDS, STYLES, spoken, taught_concepts

FIRST, EVALUATION = "tiny-sd", "evaluation.json"
TEMPLATE, TABLES = (Path(__file__).with_name(f"card_{part}.md") for part in ("template", "tables"))


def write_card(folder: Path) -> None:
    """Write ``README.md`` beside the model from ``evaluation.json`` and ``training.json``.

    A model that lies beside the first base is compared with it.
    """
    first = folder.with_name(FIRST) / EVALUATION
    text = render(
        TEMPLATE,
        name=folder.name,
        channels=read_json(folder / "unet" / "config.json")["in_channels"],
        first=read_json(first) if folder.name != FIRST and first.is_file() else None,
        report=read_json(folder / EVALUATION),
        training=read_json(folder / PROVENANCE),
        backgrounds=BACKGROUNDS,
        styles=STYLES,
        concepts=[spoken(name) for name in taught_concepts()],
        packages=read_packages().values(),
    )
    write_text(folder / "README.md", text.rstrip() + "\n")


def print_table(report: dict[str, Any]) -> None:
    """Print what the card will say."""
    print(render(TABLES, report=report).rstrip())
