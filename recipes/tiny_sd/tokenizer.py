"""A small byte-level BPE in CLIP's format: no text is ever unknown to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from .settings import MODEL_MAX_LENGTH

END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_alphabet() -> list[str]:
    """List the 256 printable stand-ins for bytes that byte-level BPE uses, sorted."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def learn_merges(texts: Iterable[str], merges: int) -> list[tuple[str, str]]:
    """Learn BPE merges with CLIP's own way of splitting text.

    Args:
        texts: Training text, a caption each.
        merges: How many merges to learn at most.

    Returns:
        Merges in the order they apply.
    """
    clip = CLIPTokenizer()  # only for its normalizer and pre-tokenizer: theirs must be CLIP's
    learner = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    learner.normalizer = clip.backend_tokenizer.normalizer
    learner.pre_tokenizer = clip.backend_tokenizer.pre_tokenizer
    # The trainer's vocabulary holds the letters it met with and without the suffix before any merge;
    # asking for as many again leaves room for all the merges wanted, the rest is cut off.
    trainer = trainers.BpeTrainer(
        vocab_size=512 + merges,
        initial_alphabet=byte_alphabet(),
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learned = json.loads(learner.to_str())["model"]["merges"]
    return [(left, right) for left, right in learned][:merges]


def build_vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Number the tokens in CLIP's order: bytes, bytes that end a word, merges, the two markers."""
    alphabet = byte_alphabet()
    tokens = alphabet + [letter + END_OF_WORD for letter in alphabet]
    tokens += list(dict.fromkeys(left + right for left, right in merges if left + right not in tokens))
    return {token: index for index, token in enumerate([*tokens, START, END])}


def build_tokenizer(merges: list[tuple[str, str]]) -> CLIPTokenizer:
    """Build the tokenizer from its merges.

    Args:
        merges: From `learn_merges`.

    Returns:
        A tokenizer that pads with the end marker up to `MODEL_MAX_LENGTH`, as SD 1.4's does up to 77.
    """
    return CLIPTokenizer(
        vocab=build_vocabulary(merges), merges=list(merges), model_max_length=MODEL_MAX_LENGTH
    )


def save_tokenizer(tokenizer: CLIPTokenizer, merges: list[tuple[str, str]], folder: Path) -> None:
    """Save ``tokenizer.json`` and, for older tools, ``vocab.json`` and ``merges.txt`` beside it."""
    tokenizer.save_pretrained(folder)
    vocabulary = json.dumps(build_vocabulary(merges), ensure_ascii=False)
    (folder / "vocab.json").write_text(vocabulary + "\n", encoding="utf-8")
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def load_merges(folder: Path) -> list[tuple[str, str]]:
    """Read the merges back from ``merges.txt``."""
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    pairs = (line.split(" ") for line in lines if line)
    return [(left, right) for left, right in pairs]
