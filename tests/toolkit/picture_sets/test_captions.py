"""captions.py: files of any editor, and variations that are always the same."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import paths
from toolkit.core.errors import DataSetError
from toolkit.core.settings import DatasetConfig
from toolkit.picture_sets.captions import read_caption, shuffled, tags_of, vary, with_trigger

TAGS = "sks robot, red, on a table, at night, from above"


@pytest.mark.parametrize(
    ("data", "caption"),
    [
        (b"plain", "plain"),
        (b"\xef\xbb\xbfwith a BOM\r\n", "with a BOM"),
        (b" two\r\nlines\t\n", "two lines"),
        (b"old\rMac", "old Mac"),
        (b"", ""),
        (b"\n\n", ""),
        (b"a\0b", "a b"),
        ("ünicode 🤖".encode(), "ünicode 🤖"),
    ],
)
def test_a_caption_is_one_line_whoever_wrote_it(tmp_path, data, caption):
    (tmp_path / "a.txt").write_bytes(data)
    assert read_caption(tmp_path / "a.txt") == caption


@pytest.mark.parametrize("data", ["grün".encode("latin-1"), "a robot".encode("utf-16"), b"\x80"])
def test_another_encoding_is_refused_by_name(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(DataSetError, match=r"a\.txt is not UTF-8 \(byte \d+ is 0x"):
        read_caption(tmp_path / "a.txt")


def test_a_caption_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DataSetError, match=r"a\.txt cannot be read"):
        read_caption(tmp_path / "a.txt")


@given(st.binary(max_size=200))
def test_no_bytes_make_a_caption_crash(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "caption.txt"
    path.write_bytes(data)
    try:
        caption = read_caption(path)
    except DataSetError as error:
        assert "UTF-8" in str(error)
    else:
        assert caption == " ".join(caption.split())
        assert caption.encode("utf-8") is not None


def test_shuffling_keeps_the_tags_and_the_first_ones_in_place():
    orders = {shuffled(TAGS, 1, str(seed)) for seed in range(40)}
    assert len(orders) > 10
    for order in orders:
        assert order.startswith("sks robot, ")
        assert sorted(tags_of(order)) == sorted(tags_of(TAGS))
    assert shuffled(TAGS, 99, "1") == TAGS


@given(st.text(max_size=60), st.integers(0, 5), st.text(max_size=5))
def test_shuffling_loses_and_adds_nothing(caption, keep, seed):
    result = shuffled(caption, keep, seed)
    assert sorted(tags_of(result)) == sorted(tags_of(caption))
    assert tags_of(result)[:keep] == tags_of(caption)[:keep]
    assert result == shuffled(caption, keep, seed)


def test_a_variation_depends_on_seed_content_and_repetition_alone():
    config = DatasetConfig(shuffle_captions=True, seed=3)
    one = vary(TAGS, config, "aa", 0)
    assert one == vary(TAGS, config, "aa", 0)
    others = [
        vary(TAGS, config, "ab", 0),
        vary(TAGS, config, "aa", 1),
        vary(TAGS, config.model_copy(update={"seed": 4}), "aa", 0),
    ]
    assert all(other != one for other in others)
    # Another process, with another hash seed.
    code = f"""
from harness.records import DatasetConfig
from toolkit.picture_sets.captions import vary
print(vary({TAGS!r}, DatasetConfig(shuffle_captions=True, seed=3), "aa", 0))
"""
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == one


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("", "sks"),
        ("a robot", "sks, a robot"),
        ("an Sks robot", "an Sks robot"),
        ("two tasks", "sks, two tasks"),
        ("sks", "sks"),
    ],
)
def test_the_trigger_word_is_put_where_it_is_missing(caption, expected):
    assert with_trigger(caption, "sks") == expected
    assert with_trigger(caption, "") == caption


def test_a_trigger_word_with_signs_is_taken_literally():
    assert with_trigger("a ohwx cat", "ohw. cat") == "ohw. cat, a ohwx cat"
