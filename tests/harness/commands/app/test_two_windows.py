"""Two windows on one app: each shows what is done in the other, and neither loses anything."""

from __future__ import annotations

import json

import pytest

from harness import paths
from tests.clone import small_clone
from tests.harness.board.browser import browser
from tests.harness.commands.app.driving import (
    ALONE,
    IN_A_BROWSER,
    fill,
    press,
    quoted,
    says,
    served,
    wait_for,
)

pytestmark = IN_A_BROWSER

STEPS = 150  # enough that a hand reaches Stop in the other window
PROMPT = "an sks robot that this window has typed"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A copy of the hub with a base of a few kilobytes: its steps are short."""
    return small_clone(tmp_path_factory.mktemp("windows"))


def caption_box(picture):
    """The field with a picture's caption."""
    return (
        "[...document.querySelectorAll('[data-caption]')]"
        f".find(f => f.elements.picture.value === {quoted(picture)}).elements.caption"
    )


def type_caption(page, picture, words, *, leave=True):
    """Type a caption; leaving the field saves it."""
    event = "change" if leave else "input"
    page.run(
        f"(b => {{ b.value = {quoted(words)};"
        f" b.dispatchEvent(new Event('{event}', {{bubbles: true}})); }})({caption_box(picture)})"
    )


def note_says(page, picture, words):
    note = f"{caption_box(picture)}.form.querySelector('[role=status]').innerText"
    wait_for(page, f"{note}.includes({quoted(words)})", words)


def shows_caption(page, picture, words):
    wait_for(page, f"{caption_box(picture)}.value === {quoted(words)}", words)


def edit_captions(one, two, folder):
    """The same pictures in both windows; what each types is kept, or it is told why not."""
    first, second, third = sorted(file.name for file in folder.glob("*.png"))[:3]

    def kept(picture):
        return (folder / picture).with_suffix(".txt").read_text(encoding="utf-8").strip()

    # Half a sentence in the second window, while the first one saves another picture's.
    type_caption(two, second, "half a sentence", leave=False)
    type_caption(one, first, "a sks robot, from the first window")
    note_says(one, first, "Saved.")
    shows_caption(two, first, "a sks robot, from the first window")  # nobody has loaded it
    shows_caption(two, second, "half a sentence")
    # The second one goes on from there, and the first one shows that.
    type_caption(two, first, "a sks robot, from both windows")
    note_says(two, first, "Saved.")
    shows_caption(one, first, "a sks robot, from both windows")
    assert kept(first) == "a sks robot, from both windows"
    # Both at the same caption: the later one is told, and writes over the other knowingly.
    type_caption(two, third, "typed in the second", leave=False)
    type_caption(one, third, "saved in the first")
    note_says(one, third, "Saved.")
    type_caption(two, third, "typed in the second")
    note_says(two, third, "another window wrote: 'saved in the first'")
    assert kept(third) == "saved in the first"
    type_caption(two, third, "typed in the second")
    note_says(two, third, "Saved.")
    assert kept(third) == "typed in the second"
    shows_caption(one, third, "typed in the second")


def steps_in(runs):
    """The steps of the training's log, in its order."""
    (log,) = (runs / "app" / "jobs").glob("train-*/out/log.jsonl")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [line["step"] for line in lines if "loss" in line]


def start(page):
    press(page, "2 Method")
    says(page, "Choose a method")
    fill(page, base="models/random", steps=str(STEPS), num_inference_steps="2")
    press(page, "Start the training")


def state_is(page, state):
    wait_for(page, f"document.querySelector('.badge')?.innerText === '{state}'", state)


def test_two_windows_show_the_same_and_lose_nothing(hub, tmp_path):
    runs = tmp_path / "runs"
    with browser(tmp_path, ALONE) as one, served(runs, hub=hub) as (_, address):
        one.show(1280, 900)
        one.open(address)
        fill(one, name="robots")
        press(one, "Make the set")
        says(one, "Drop pictures here")
        press(one, "Take a folder or a zip of this machine")
        fill(one, source=str(paths.REFERENCE / "Dataset"))
        press(one, "Copy its pictures")
        says(one, "Ready to train")
        here = one.run("location.origin")

        two = one.another()
        two.show(390, 844, phone=True)
        two.open(f"{here}/pictures/robots")
        edit_captions(one, two, runs / "app" / "pictures" / "sets" / "robots")

        # A training begins in one and shows itself in the other, which is on the list already.
        two.open(f"{here}/runs")
        says(two, "None yet")
        start(one)
        says(two, "reference on robots")
        says(two, f"of {STEPS}, loss")
        press(two, "reference on robots")
        says(one, f"of {STEPS}, loss")
        # Stopped in the other, the first one shows it.
        press(two, "Stop")
        state_is(one, "stopped")
        says(one, "Go on")
        says(two, "Go on")
        # Gone on with in both at once: one training, and a sentence for the one that was late.
        press(one, "Go on")
        press(two, "Go on")
        state_is(one, "running")
        wait_for(
            two,
            "document.querySelector('.badge')?.innerText === 'running'"
            " || document.body.innerText.includes('at work already')",
            "the training, or why not",
        )

        # Both are closed while it is at work; a third one finds everything.
        three = one.another()
        two.close()
        one.close()
        three.show(1280, 900)
        three.open(here)
        says(three, "reference on robots")
        press(three, "reference on robots")
        says(three, "Draw with it")
        assert steps_in(runs) == list(range(1, STEPS + 1))  # none twice, none left out
        compare_drawings(three, here)
        assert three.complaints() == []


def compare_drawings(one, here):
    """A drawing that one window makes comes into the other, whose half typed form stays."""
    two = one.another()
    two.show(1280, 900)
    two.open(f"{here}/draw")
    fill(two, prompt=PROMPT)
    press(one, "Draw with it")
    fill(one, prompt="a sks robot", strengths="1", steps="2")
    press(one, "Draw")
    drawn = "[...document.querySelectorAll('img.drawn')].some(i => i.naturalWidth)"
    wait_for(one, drawn, "the picture")
    wait_for(two, "document.querySelector('img.drawn') !== null", "the picture in the other window")
    assert two.run("document.getElementById('prompt').value") == PROMPT
    assert two.complaints() == []
    two.close()
