"""What a contest draws, from captions as people write them."""

from __future__ import annotations

import pytest

from harness.protocol.track_file import PROMPT_KINDS
from harness.runs.own.prompts import beginning, prompts_of, words_of

MUGS = ["a sks mug on a table", "a sks mug, in the rain", "a sks mug on grass", "a sks mug"]


@pytest.mark.parametrize(
    ("captions", "trigger", "subject", "kind"),
    [
        (MUGS, "", "a sks mug", "a mug"),
        (MUGS, "sks", "a sks mug", "a mug"),
        (MUGS, "sks mug", "a sks mug", "a mug"),
        (["sks mug"] * 4, "", "sks mug", "a mug"),
        (["a red panda eating", "a red panda asleep"], "", "a red panda", "a panda"),
        (["zwk teapot, from above", "zwk teapot, close up"], "", "zwk teapot", "a teapot"),
        (["an old hut", "a boat", "two trees"], "", "", ""),
        (["a boat", "two trees", "fog"], "zwk style", "zwk style", "a style"),
    ],
)
def test_the_subject_is_what_most_captions_begin_with(captions, trigger, subject, kind):
    assert words_of(captions, trigger) == (subject, kind)


def test_one_caption_that_begins_otherwise_changes_nothing():
    assert beginning([*MUGS, "the mug, broken"]) == "a sks mug"


def test_a_phrase_that_was_typed_is_taken():
    assert words_of(["x", "y"], "zwk", "a zwk boat") == ("a zwk boat", "a boat")


@pytest.mark.parametrize("captions", [MUGS, ["a boat", "two trees", "fog", "rain"], ["mug"] * 4])
def test_every_kind_has_a_prompt_and_none_shows_what_is_taught_by_chance(captions):
    heldout = {f"p{n}": caption for n, caption in enumerate(captions[:3])}
    prompts = prompts_of(words_of(captions), captions, heldout)
    assert {prompt.kind for prompt in prompts} == set(PROMPT_KINDS)
    texts = [prompt.text for prompt in prompts]
    assert len(texts) == len(set(texts))
    for prompt in prompts:
        if prompt.kind == "unrelated":
            assert not {"mug", "boat", "tree", "trees", "table"} & set(prompt.text.split())
        if prompt.like:
            assert heldout[prompt.like] == prompt.text


def test_a_caption_of_several_held_out_pictures_is_compared_with_all():
    (prompt,) = [
        prompt
        for prompt in prompts_of(words_of(["mug"] * 4), ["mug"] * 4, {"a": "mug", "b": "mug"})
        if prompt.kind == "instance"
    ]
    assert prompt.like is None


def test_places_that_a_caption_names_are_not_new_ones():
    captions = ["a sks mug in the snow", "a sks mug on a beach", "a sks mug in a forest"]
    prompts = prompts_of(words_of(captions), captions, {"a": captions[0]})
    contexts = [prompt.text for prompt in prompts if prompt.kind == "context"]
    assert contexts
    assert not any(word in text for text in contexts for word in ("snow", "beach", "forest"))
