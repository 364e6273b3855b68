"""The app by keyboard alone."""

from __future__ import annotations

import re

from PIL import Image

from harness import paths
from harness.commands.app import jobs
from tests.harness.board.browser import browser
from tests.harness.commands.app.driving import (
    ALONE,
    IN_A_BROWSER,
    enter,
    says,
    served,
    type_in,
    walk_to,
)
from toolkit.core.settings import GenerateConfig
from toolkit.drawings.metadata import Drawing, save_picture

pytestmark = IN_A_BROWSER


def drawn(home, number, colour):
    """A drawing that has ended: one picture of one colour."""
    folder = home / "jobs" / f"generate-20261130-00000{number}-abcd"
    form = {"group": "g", "run": "train-20261130-000000-abcd", "strength": str(number)}
    file = jobs.JobFile(kind="generate", words=("generate", "Example1"), form=form, begun="")
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(file.model_dump_json())
    (folder / "exit.txt").write_text("0")
    about = Drawing(prompts=("a mug",), place=0, config=GenerateConfig(), sampler="DDIMScheduler",
                    base="models/tiny-sd", base_sha256="0" * 64)  # fmt: skip
    (folder / "out").mkdir()
    save_picture(Image.new("RGB", (64, 64), colour), folder / "out" / "a-mug.png", about)


def make_a_set(page):
    walk_to(page, "e.id === 'name'", "the name of a set")
    type_in(page, "robots")
    enter(page)
    says(page, "Drop pictures here")
    walk_to(page, "e.tagName === 'SUMMARY' && e.innerText.includes('folder or a zip')", "the fold")
    enter(page)
    walk_to(page, "e.id === 'source'", "the path")
    type_in(page, str(paths.REFERENCE / "Dataset"))
    enter(page)
    says(page, "Ready to train")


def begin_a_training(page):
    walk_to(page, "e.innerText?.startsWith('Next')", "the way on")
    enter(page)
    says(page, "Choose a method and train")
    walk_to(page, "e.name === 'name' && e.type === 'radio'", "the methods")
    before = page.run("document.activeElement.value")
    page.press("ArrowDown", 40)
    chosen = page.run("document.querySelector('[name=name]:checked').value")
    assert chosen != before
    walk_to(page, "e.id === 'steps'", "the steps")
    type_in(page, "0")  # the browser itself refuses it, in words
    enter(page)
    assert page.run("document.getElementById('steps').validationMessage") != ""
    type_in(page, "2000")
    walk_to(page, "e.innerText === 'Start the training'", "the start")
    enter(page)
    says(page, f"{chosen} on robots")
    says(page, "of 2000, loss")
    walk_to(page, "e.innerText === 'Stop'", "the stop")
    enter(page)
    says(page, "Go on")


def slide(page):
    walk_to(page, "e.innerText === '4 Draw'", "the page to draw on")
    enter(page)
    says(page, "Compare two pictures")
    walk_to(page, "e.tagName === 'SUMMARY' && e.innerText.startsWith('Compare')", "the comparison")
    enter(page)
    walk_to(page, "e.type === 'range'", "the slider")
    above = "getComputedStyle(document.querySelectorAll('.stage img')[1])"
    assert page.run(f"{above}.clipPath") == "inset(0px 50% 0px 0px)"
    page.press("ArrowLeft", 37)
    assert page.run(f"{above}.clipPath") == "inset(0px 51% 0px 0px)"
    page.press("End", 35)
    assert page.run(f"{above}.clipPath") in ("inset(0px 0% 0px 0px)", "inset(0px)")
    sources = page.run("[...document.querySelectorAll('.stage img')].map(i => i.src).join()")
    assert re.findall(r"generate-20261130-00000(\d)", sources) == ["2", "1"]
    walk_to(page, "e.type === 'checkbox'", "the box for the difference")
    page.press(" ", 32, " ")
    assert page.run(f"{above}.mixBlendMode") == "difference"
    bright = "getComputedStyle(document.querySelector('.stage')).filter"
    assert page.run(bright) == "brightness(6)"


def test_the_keyboard_is_enough(tmp_path):
    runs = tmp_path / "runs"
    for number, colour in ((1, "red"), (2, "blue")):
        drawn(runs / "app", number, colour)
    with browser(tmp_path, ALONE) as page, served(runs) as (_, address):
        page.show(1280, 900)
        page.open(address)
        make_a_set(page)
        begin_a_training(page)
        slide(page)
        assert page.complaints() == []
