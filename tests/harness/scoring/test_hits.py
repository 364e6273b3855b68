"""Is it there? Nearest candidates, colours in their places, backgrounds taken away."""

import pytest
import torch

from harness.protocol.track_file import Prompt
from harness.scoring.colours import adherence
from harness.scoring.hits import (
    Candidates,
    binding_hits,
    from_the_border,
    nearest_is_taught,
    on_grey,
)
from toolkit.core.errors import UsageError

COLOURS = {"white": (255, 255, 255), "red": (214, 40, 40), "blue": (50, 100, 220)}
AXES = torch.eye(6)


def prompt(**fields):
    return Prompt(text="a thing", kind="instance", **fields)


def picture(background, ink=None, side=32):
    """A square of one colour on another, (3, side, side) in [-1, 1]."""
    colour = {name: torch.tensor(value) / 127.5 - 1 for name, value in COLOURS.items()}
    made = colour[background].view(3, 1, 1).repeat(1, side, side)
    if ink:
        made[:, 8:24, 8:24] = colour[ink].view(3, 1, 1)
    return made


# --- nearest candidate --------------------------------------------------------------------------


@pytest.fixture
def subject():
    return Candidates(AXES[:1], ("example1",), AXES[1:2], None, AXES[2:3])


@pytest.mark.parametrize(
    ("weights", "hit"),
    [
        ((0.9, 0.1, 0.1), True),
        ((0.1, 0.9, 0.1), False),  # another thing of the kind
        ((0.1, 0.1, 0.9), False),  # what the base draws anyway
        ((0.5, 0.5, 0.0), False),  # undecided is no hit
    ],
)
def test_a_subject_is_there_when_it_is_nearer_than_every_rival(subject, weights, hit):
    features = torch.tensor([[*weights, 0, 0, 0]])
    assert nearest_is_taught(features, [prompt()], subject) == [hit]


def test_a_subject_may_look_like_any_of_its_held_out_pictures(subject):
    two = Candidates(AXES[:2], ("example1", "example2"), AXES[2:3], None, AXES[3:4])
    assert nearest_is_taught(AXES[1:2], [prompt(like="example1")], two) == [True]


def test_a_subject_without_rivals_is_told_from_what_the_base_draws(subject):
    alone = Candidates(AXES[:1], ("example1",), torch.empty(0, 6), None, AXES[2:3])
    found = nearest_is_taught(AXES[[0, 1, 2]] + 0.1 * AXES[0], [prompt()] * 3, alone)
    assert found == [True, True, False]


@pytest.fixture
def style():
    # The koala and the rose in the taught style, and each in another one.
    nothing = torch.empty(0, 6)
    return Candidates(AXES[:2], ("koala", "rose"), AXES[2:4], ("koala", "rose"), nothing)


@pytest.mark.parametrize(
    ("like", "axis", "hit"),
    [("koala", 0, True), ("koala", 2, False), ("rose", 1, True), ("rose", 3, False)],
)
def test_a_style_is_there_when_the_thing_in_it_is_nearer_than_in_others(style, like, axis, hit):
    features = AXES[axis : axis + 1] + 0.01 * AXES[:1]
    assert nearest_is_taught(features, [prompt(like=like)], style) == [hit]


def test_another_thing_in_the_taught_style_is_no_rival(style):
    features = (AXES[0] + 0.9 * AXES[1])[None]
    assert nearest_is_taught(features, [prompt(like="koala")], style) == [True]
    # ... and does not make it a hit either: the rose does not stand in for the koala.
    features = (AXES[1] + 0.5 * AXES[2])[None]
    assert nearest_is_taught(features, [prompt(like="koala")], style) == [False]


def test_a_prompt_of_a_style_names_a_held_out_drawing(style):
    with pytest.raises(UsageError, match="no such picture"):
        nearest_is_taught(AXES[:1], [prompt(like="teapot")], style)


# --- colours ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("background", "ink", "hit"),
    [
        ("red", "blue", True),
        ("blue", "red", False),  # both colours, each in the other's place
        ("red", "white", False),
        ("white", "blue", False),
        ("red", None, False),  # nothing there
    ],
)
def test_a_colour_belongs_to_the_thing_or_to_its_background(background, ink, hit):
    asked = prompt(background="red", ink="blue")
    assert binding_hits(picture(background, ink)[None], [asked], COLOURS) == [hit]


@pytest.mark.parametrize(
    ("background", "upper", "lower", "hit"),
    [
        ("white", "red", "blue", True),
        ("white", "blue", "red", False),  # both colours, each in the other's place
        ("white", "red", "red", False),
        ("white", "red", None, False),  # half a thing: its own lower half is red
        ("white", None, None, False),
        ("blue", "red", "white", False),
    ],
)
@pytest.mark.parametrize("shift", [-10, 0, 7])
def test_the_halves_of_a_thing_have_their_colours_wherever_it_is(
    background, upper, lower, hit, shift
):
    drawn = picture(background, side=64)
    for name, top in ((upper, 16), (lower, 32)):
        if name is not None:
            rows = slice(top + shift, top + shift + 16)
            drawn[:, rows, 20:44] = picture(name, side=64)[:, rows, 20:44]
    asked = prompt(background="white", ink="red", lower="blue")
    assert binding_hits(drawn[None], [asked], COLOURS) == [hit]
    assert (adherence(drawn[None], [asked], COLOURS) == 1.0) is hit


def test_prompts_without_both_colours_are_left_out():
    pictures = torch.stack([picture("red", "blue")] * 3)
    asked = [prompt(background="red"), prompt(ink="blue"), prompt()]
    assert binding_hits(pictures, asked, COLOURS) == []


# --- background ---------------------------------------------------------------------------------


@pytest.mark.parametrize("background", ["white", "red"])
def test_a_flat_background_becomes_grey_and_the_thing_stays(background):
    drawn = picture(background, "blue")
    shown = on_grey(drawn[None])[0]
    assert torch.equal(shown[:, 8:24, 8:24], drawn[:, 8:24, 8:24])
    shown[:, 8:24, 8:24] = 0
    assert not shown.any()


def test_what_has_the_backgrounds_colour_inside_a_thing_belongs_to_the_thing():
    drawn = picture("white", "blue")
    drawn[:, 14:18, 14:18] = 1  # a white eye
    assert torch.equal(on_grey(drawn[None])[0][:, 14:18, 14:18], drawn[:, 14:18, 14:18])


def test_the_pictures_given_are_left_as_they_were():
    drawn = picture("white", "blue")[None]
    before = drawn.clone()
    on_grey(drawn)
    assert torch.equal(drawn, before)


def test_a_path_round_a_corner_hangs_together_with_the_border():
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[4, :5] = True  # from the left edge inwards ...
    mask[4:7, 4] = True  # ... and round a corner
    island = mask.clone()
    island[2, 6] = True
    assert torch.equal(from_the_border(island), mask)
