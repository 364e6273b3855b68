"""Tokens are counted as Stable Diffusion 1.4 counts them."""

from __future__ import annotations

import gzip

import pytest

from toolkit.core import clip_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # The ids of SD 1.4's own tokenizer for this text are
        # [49406, 320, 1125, 539, 320, 2368, 49407].
        ("a photo of a cat", 7),
        ("", 2),
        ("  A   PHOTO\nof a cat ", 7),
        ("cat", 3),
        ("2024", 6),
        ("don't", 4),
        ("!!!", 3),
    ],
)
def test_known_counts(text, tokens):
    assert clip_tokens.count(text) == tokens


def test_ids_are_those_of_sd_1_4():
    encoding = clip_tokens._tokenizer().encode("a photo of a cat")
    assert encoding.ids == [320, 1125, 539, 320, 2368]
    assert clip_tokens._tokenizer().token_to_id("<|endoftext|>") == 49407


def test_merges_are_exactly_those_in_use():
    lines = gzip.decompress(clip_tokens.MERGES.read_bytes()).decode().splitlines()
    assert len(lines) == 48_894
    assert (lines[0], lines[-1]) == ("i n", "jeky ll</w>")


def test_exactly_77_tokens_are_fine(folder, look):
    caption = folder / "Dataset" / "ImageCaptions" / "robot1.txt"
    caption.write_text("robot " * 75 + "\n")
    assert not clip_tokens.surely_fits(caption.read_text())
    assert look(folder) == []
    caption.write_text("robot " * 76 + "\n")
    (finding,) = look(folder)
    assert finding.rule == "HUB311" and "has 78 CLIP tokens" in finding.message


def test_a_novel_is_not_counted_to_its_end(folder, look):
    (folder / "Dataset" / "ImageCaptions" / "robot1.txt").write_text("robot " * 100_000)
    (finding,) = look(folder)
    assert "more than" in finding.message
