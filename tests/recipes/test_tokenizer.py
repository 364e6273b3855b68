"""No text is unknown to the tokenizer, and it is in CLIP's format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from recipes.tiny_sd.captions import tokenizer_texts
from recipes.tiny_sd.tokenizer import END, START, build_tokenizer, learn_merges, load_merges
from recipes.tiny_sd.vocabulary import spoken, taught_concepts

SHIPPED = Path(__file__).parents[2] / "models" / "tiny-sd" / "tokenizer"


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(SHIPPED)


def _plain(text: str) -> str:
    return "".join(text.lower().split())


@given(text=st.text(max_size=60))
@settings(max_examples=200)
def test_any_text_comes_back(tokenizer: CLIPTokenizer, text: str) -> None:
    import unicodedata

    if START in text or END in text:
        return
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.eos_token_id not in ids  # the end marker doubles as the unknown token
    decoded = tokenizer.decode(ids)
    expected = unicodedata.normalize("NFC", text).lower()
    assert _plain(decoded) == _plain(expected)


@pytest.mark.parametrize("word", ["sks", "🤖", "Zürich", "北京", "<new-token>"])
def test_foreign_words_encode_without_unknowns(tokenizer: CLIPTokenizer, word: str) -> None:
    ids = tokenizer(word).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.unk_token_id not in ids[1:-1]


def test_every_taught_word_is_one_token(tokenizer: CLIPTokenizer) -> None:
    for name in taught_concepts():
        words = spoken(name).split()
        assert len(tokenizer.tokenize(spoken(name))) == len(words), name


def test_padding_is_the_end_marker_as_in_stable_diffusion(tokenizer: CLIPTokenizer) -> None:
    ids = tokenizer("a red apple", padding="max_length").input_ids
    assert len(ids) == tokenizer.model_max_length == 40
    assert ids.count(tokenizer.bos_token_id) == 1
    assert set(ids[5:]) == {tokenizer.eos_token_id}


def test_learning_merges_twice_gives_the_same() -> None:
    texts = [*tokenizer_texts(("teddy-bear",))][:400]
    assert learn_merges(texts, 40) == learn_merges(texts, 40)


def test_old_files_hold_the_same_tokenizer(tokenizer: CLIPTokenizer) -> None:
    vocabulary = json.loads((SHIPPED / "vocab.json").read_text(encoding="utf-8"))
    assert vocabulary == tokenizer.get_vocab()
    rebuilt = build_tokenizer(load_merges(SHIPPED))
    text = "a small red apple, noto style, on a blue background"
    assert rebuilt(text).input_ids == tokenizer(text).input_ids
    assert vocabulary[START], vocabulary[END] == (len(vocabulary) - 2, len(vocabulary) - 1)
