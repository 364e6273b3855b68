"""Count tokens exactly as Stable Diffusion 1.4's tokenizer does, offline.

The merges are those of OpenAI's CLIP, as they are shipped in open_clip (MIT, see NOTICE.md).
"""

from __future__ import annotations

import gzip
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# What the text encoder reads of a caption, start and end token included.
CLIP_TOKENS = 77

MERGES = Path(__file__).parent / "data" / "clip_merges.txt.gz"
_START, _END = "<|startoftext|>", "<|endoftext|>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def count(text: str) -> int:
    """Return the number of tokens, start and end token included."""
    return len(_tokenizer().encode(text.strip()).ids) + 2


def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return CLIP's words with their numbers, and the merges that they follow from.

    The 256 bytes, the same at a word's end, one word per merge, start and end.
    """
    from tokenizers import pre_tokenizers

    lines = gzip.decompress(MERGES.read_bytes()).decode("utf-8").splitlines()
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())  # one printable letter for each byte
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += [first + second for first, second in merges]
    return {word: number for number, word in enumerate([*words, _START, _END])}, merges


@cache
def _tokenizer() -> Tokenizer:
    # Imported here: only a caption that may be too long is worth 100 ms.
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    words, merges = vocabulary()
    tokenizer = Tokenizer(
        models.BPE(words, merges, unk_token=_END, end_of_word_suffix="</w>", fuse_unk=False)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([_START, _END])
    return tokenizer


# The count of anything longer is "more than": nobody shortens a novel token by token.
LONGEST_COUNTED = 20_000


def surely_fits(text: str) -> bool:
    """Tell whether a caption is too short to have too many tokens.

    CLIP's tokens are made of bytes of the normalised, lower-case text, so n bytes are at most n
    tokens. Counting the raw bytes would not do: normalising can make a text longer.
    """
    if len(text) > CLIP_TOKENS * 4:
        return False
    normalised = unicodedata.normalize("NFC", text).lower().strip()
    return len(normalised.encode("utf-8", "replace")) <= CLIP_TOKENS - 2
