"""Where in a contact sheet the methods differ: the gallery opens there."""

import pytest
from PIL import Image

from harness.board.sheets import OWN, Sheet, prompt_that_differs
from harness.runs.page import SHEET_SIDE_PX
from toolkit.images.sheet import CAPTION_PX, GAP_PX, LABEL_PX

STEP = SHEET_SIDE_PX + GAP_PX
COLUMNS, PROMPTS = OWN + 1, 3


def sheet(folder, name, colours, columns=COLUMNS):
    """A sheet whose own pictures are of these colours, and whose others are all alike."""
    size = GAP_PX + columns * STEP, LABEL_PX + GAP_PX + PROMPTS * (STEP + CAPTION_PX)
    whole = Image.new("RGB", size, "white")
    for prompt, colour in enumerate(colours):
        cell = Image.new("RGB", (SHEET_SIDE_PX, SHEET_SIDE_PX), colour)
        whole.paste(cell, (GAP_PX + OWN * STEP, LABEL_PX + prompt * (STEP + CAPTION_PX)))
    whole.save(folder / f"{name}.webp", lossless=True)
    return Sheet(folder / f"{name}.webp", "", *size, columns, PROMPTS)


@pytest.mark.parametrize("where", range(PROMPTS))
def test_it_opens_at_the_prompt_whose_pictures_differ(tmp_path, where):
    colours = ["red", "green", "blue"]
    others = [*colours]
    others[where] = "yellow"
    sheets = [sheet(tmp_path, "one", colours), sheet(tmp_path, "two", others)]
    assert prompt_that_differs(sheets) == where


def test_without_pictures_it_opens_at_the_first(tmp_path):
    assert prompt_that_differs([]) == 0
    assert prompt_that_differs([sheet(tmp_path, "narrow", ["red"] * 3, columns=OWN)]) == 0


def test_a_sheet_that_is_damaged_after_its_header_is_left_out(tmp_path):
    sheets = [
        sheet(tmp_path, "one", ["red", "green", "blue"]),
        sheet(tmp_path, "two", ["red", "green", "white"]),
        sheet(tmp_path, "damaged", ["black", "green", "blue"]),
    ]
    data = sheets[2].file.read_bytes()
    sheets[2].file.write_bytes(data[: len(data) // 2])
    assert prompt_that_differs(sheets) == 2


def test_of_thousands_some_are_looked_at(tmp_path):
    one = sheet(tmp_path, "one", ["red", "green", "blue"])
    two = sheet(tmp_path, "two", ["red", "white", "blue"])
    assert prompt_that_differs([one, two] * 5000 + [one]) == 1
