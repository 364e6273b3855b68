"""metadata.py, grid.py: what a picture says about itself, for A1111's readers and for the hub."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import diffusers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.core.errors import UsageError
from toolkit.core.settings import GenerateConfig, SchedulerName
from toolkit.drawings.grid import captioned_grid
from toolkit.drawings.metadata import (
    SAMPLERS,
    SCHEDULERS,
    Drawing,
    LoraUse,
    a1111_parameters,
    free_name,
    picture_name,
    read_drawing,
    save_picture,
)

DRAWING = Drawing(
    prompts=("a", "a robot", "b"),
    place=1,
    config=GenerateConfig(seed=7, negative_prompt="blur", guidance_scale=3.5, lora_scale=0.5),
    sampler="EulerAncestralDiscreteScheduler",
    base="models/tiny-sd",
    base_sha256="0123456789abcdef" * 4,
    loras=(LoraUse(file=Path("/x/robot.safetensors"), weight=0.8, sha256="fedcba98" * 8),),
)


def test_the_parameters_are_in_the_form_that_a1111_writes():
    assert a1111_parameters(DRAWING) == (
        "a robot <lora:robot:0.8>\nNegative prompt: blur\n"
        "Steps: 30, Sampler: Euler a, CFG scale: 3.5, Seed: 8, Size: 64x64, "
        'Model hash: 0123456789, Model: tiny-sd, Lora hashes: "robot: fedcba98fedc", '
        "LoRA scale: 0.5"
    )
    plain = DRAWING.model_copy(update={"config": GenerateConfig(), "loras": ()})
    assert "Negative" not in a1111_parameters(plain)
    assert "ora" not in a1111_parameters(plain)
    named = plain.model_copy(update={"contribution": "Foo"})
    assert "Model: tiny-sd + Foo" in a1111_parameters(named)


def test_every_sampler_has_a_name_that_other_programs_know():
    assert all(hasattr(diffusers, name) for name in SCHEDULERS.values())
    assert set(SCHEDULERS.values()) == set(SAMPLERS)
    assert set(SCHEDULERS) == set(get_args(SchedulerName))


def test_a_picture_brings_its_text_back(tmp_path):
    path = tmp_path / "out" / "a.png"
    save_picture(Image.new("RGB", (8, 8)), path, DRAWING)
    assert read_drawing(path) == DRAWING
    with Image.open(path) as picture:
        assert picture.info["parameters"] == a1111_parameters(DRAWING)


@settings(max_examples=30)
@given(st.lists(st.text(max_size=50), min_size=1, max_size=4), st.text(max_size=20))
def test_any_prompt_comes_back_and_makes_a_file_name(tmp_path_factory, prompts, negative):
    config = GenerateConfig(negative_prompt=negative)
    drawing = DRAWING.model_copy(update={"prompts": tuple(prompts), "place": 0, "config": config})
    path = tmp_path_factory.mktemp("any") / picture_name(drawing)
    save_picture(Image.new("RGB", (8, 8)), path, drawing)
    assert read_drawing(path) == drawing


def test_other_pictures_get_other_names(tmp_path):
    def of(prompt: str) -> Drawing:
        return DRAWING.model_copy(update={"prompts": (prompt,), "place": 0})

    assert picture_name(of("кружка")) != picture_name(of("чашка"))
    long = [of("я" * 300 + end) for end in ("a", "b")]
    paths = []
    for drawing in (*long, long[0]):
        paths.append(free_name(tmp_path / picture_name(drawing), drawing))
        assert len(paths[-1].name.encode()) < 255
        save_picture(Image.new("RGB", (8, 8)), paths[-1], drawing)
    assert paths[0] == paths[2] != paths[1]  # the same picture may replace itself
    Image.new("RGB", (8, 8)).save(paths[1])  # retouched: no longer what was drawn
    assert free_name(paths[0].with_name(picture_name(long[1])), long[1]) not in paths


def test_other_pictures_are_refused_with_the_reason(tmp_path):
    plain, text = tmp_path / "plain.png", tmp_path / "text.png"
    Image.new("RGB", (8, 8)).save(plain)
    text.write_text("no picture")
    for path, message in (
        (plain, "does not say how"),
        (text, "cannot be read"),
        (tmp_path / "missing.png", "cannot be read"),
    ):
        with pytest.raises(UsageError, match=message):
            read_drawing(path)


def test_text_of_another_version_is_refused(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("hub", '{"prompts": ["a"], "novelty": 1}')
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(UsageError, match="not understood"):
        read_drawing(tmp_path / "a.png")


def test_a_grid_has_a_row_for_each_prompt_and_a_caption_under_each_picture():
    red, blue = Image.new("RGB", (200, 100), "red"), Image.new("RGB", (200, 100), "blue")
    sheet = captioned_grid([[red, blue], [blue]], [["1: red", "2: blue"], ["3: blue"]])
    assert sheet.size == (2 * 206 + 6, 2 * 124 + 6)
    assert sheet.getpixel((10, 10)) == (255, 0, 0)
    assert sheet.getpixel((300, 50)) == (0, 0, 255)
    assert sheet.getpixel((10, 150)) == (0, 0, 255)
    assert sheet.getpixel((300, 180)) == (255, 255, 255)
    caption = sheet.crop((6, 106, 206, 126)).convert("L")
    assert caption.getextrema()[0] < 200
    small = captioned_grid([[Image.new("RGB", (64, 64))]], [["x" * 200]])
    assert small.width == 6 + 192 + 6, "enlarged, so that the caption has room"
