"""A small byte-level BPE in CLIP's format: no text is ever unknown to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

from .settings import MODEL_MAX_LENGTH

END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_alphabet() -> list[str]:
    """List the 256 printable stand-ins for bytes that byte-level BPE uses, sorted."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def learn_merges(texts: Iterable[str], merges: int) -> list[tuple[str, str]]:
    """Learn BPE merges, always the same ones for the same text.

    `tokenizers.BpeTrainer` breaks ties by hash order, so two runs differ; here the most frequent
    pair wins and, among equals, the alphabetically first.

    Args:
        texts: Training text, a caption each.
        merges: How many merges to learn at most.

    Returns:
        Merges in the order they apply.
    """
    clip = CLIPTokenizer().backend_tokenizer  # only to split text exactly as CLIP does
    counts: Counter[str] = Counter()
    for text, times in Counter(texts).items():
        for word, _ in clip.pre_tokenizer.pre_tokenize_str(clip.normalizer.normalize_str(text)):
            counts[word] += times
    words = [
        ([*word[:-1], word[-1] + END_OF_WORD], times) for word, times in sorted(counts.items())
    ]
    learned: list[tuple[str, str]] = []
    while len(learned) < merges:
        pairs: Counter[tuple[str, str]] = Counter()
        for pieces, times in words:
            for pair in pairwise(pieces):
                pairs[pair] += times
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        learned.append(best)
        words = [(_merge(pieces, best), times) for pieces, times in words]
    return learned


def _merge(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """Join each neighbouring `pair` in `pieces`."""
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def build_vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Number the tokens in CLIP's order: bytes, bytes that end a word, merges, the two markers."""
    alphabet = byte_alphabet()
    tokens = alphabet + [letter + END_OF_WORD for letter in alphabet]
    tokens += list(
        dict.fromkeys(left + right for left, right in merges if left + right not in tokens)
    )
    return {token: index for index, token in enumerate([*tokens, START, END])}


def build_tokenizer(merges: list[tuple[str, str]]) -> CLIPTokenizer:
    """Build the tokenizer from its merges.

    Args:
        merges: From `learn_merges`.

    Returns:
        A tokenizer that pads with the end marker up to `MODEL_MAX_LENGTH`, as SD 1.4's does up to
        77.
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
