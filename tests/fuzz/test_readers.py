"""Damaged and random files: no reader crashes, hangs or answers without a sentence."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS, SEEDS, read

PATIENCE_S = 5.0


@st.composite
def damaged(draw, seed):
    """A good file with a few pieces cut out, doubled or overwritten."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 16)))
        piece = draw(st.one_of(st.binary(max_size=16), st.just(bytes(data[start:end]) * 2)))
        data[start:end] = piece
    return bytes(data)


@pytest.mark.parametrize("name", READERS)
def test_a_good_file_is_read(name):
    read(name, SEEDS[name])


@pytest.mark.parametrize("name", READERS)
def test_any_bytes_are_answered_with_a_sentence(name):
    examples = 15 if name == "folder" else 40

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)
    @given(st.one_of(st.binary(max_size=400), damaged(SEEDS[name])))
    def check(data):
        began = time.process_time()
        read(name, data)
        assert time.process_time() - began < PATIENCE_S

    check()
