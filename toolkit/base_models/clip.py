"""CLIP's tokenizer, which Stable Diffusion 1.x and 2.x share: a checkpoint file does not hold it.

Its merges are those of OpenAI's CLIP as open_clip ships them (MIT, see NOTICE.md). The vocabulary
follows from them: the 256 bytes, the same at a word's end, one word per merge, start and end.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from toolkit.core.clip_tokens import MERGES

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

VOCABULARY_SIZE = 49408
TOKENS = 77


def clip_tokenizer() -> CLIPTokenizer:
    """Return the tokenizer of Stable Diffusion 1.x: 77 tokens, padded with the end token."""
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    lines = gzip.decompress(MERGES.read_bytes()).decode("utf-8").splitlines()
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())  # one printable letter for each byte
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += [first + second for first, second in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)
