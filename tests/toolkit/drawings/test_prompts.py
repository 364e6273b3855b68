"""What drawing will not do with a prompt is said before it draws."""

from __future__ import annotations

import pytest

from toolkit.core.errors import UsageError
from toolkit.core.prompt_syntax import first_syntax
from toolkit.core.settings import GenerateConfig
from toolkit.drawings.prompts import idle_negative, prompt_notes, refuse_tags

PLAIN = GenerateConfig()


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("a (sks mug:1.3)", "brackets in the prompt 'a (sks mug:1.3)' are read as words"),
        ("a mug, ((red))", "brackets in the prompt"),
        ("a mug BREAK a table", "BREAK in the prompt"),
        ("a __colour__ mug", "__colour__ in the prompt"),
        ("a {red|blue} mug", "{red|blue} in the prompt"),
        ("a mug " * 90, "what is beyond 77 is not read"),
    ],
)
def test_what_is_read_otherwise_than_it_looks_is_said_once(prompt, says):
    (note,) = prompt_notes([prompt, prompt], PLAIN)
    assert says in note


@pytest.mark.parametrize("prompt", ["a sks mug (left)", "a mug [old]", "R&D and 3:4", "snake_case"])
def test_plain_words_are_not_complained_of(prompt):
    assert prompt_notes([prompt], PLAIN) == []
    assert first_syntax(prompt) == ""


def test_a_negative_prompt_counts_as_one():
    config = GenerateConfig(negative_prompt="a {red|blue} mug")
    (note,) = prompt_notes(["a mug"], config)
    assert "negative prompt" in note
    assert not idle_negative(config)
    assert idle_negative(config.model_copy(update={"guidance_scale": 1.0}))
    with pytest.raises(UsageError, match="<lora:x> in a prompt"):
        refuse_tags(["a mug"], GenerateConfig(negative_prompt="<lora:x>"))


def test_the_first_piece_is_named():
    assert first_syntax("{red|blue} (mug:1.2)") == "{red|blue}"
