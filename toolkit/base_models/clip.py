"""CLIP's tokenizer, that of Stable Diffusion 1.x and 2.x: a checkpoint file does not hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core.clip_tokens import CLIP_TOKENS, vocabulary

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

VOCABULARY_SIZE = 49408


def clip_tokenizer() -> CLIPTokenizer:
    """Return the tokenizer of Stable Diffusion 1.x: 77 tokens, padded with the end token."""
    from transformers import CLIPTokenizer

    words, merges = vocabulary()
    return CLIPTokenizer(vocab=words, merges=merges, model_max_length=CLIP_TOKENS)
