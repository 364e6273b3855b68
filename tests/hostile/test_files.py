"""Every hostile file is answered with the right sentence, quickly and in little memory."""

import sys
import time

import psutil
import pytest

from tests.hostile.files import FILES, answer

QUICK_S = 5.0
LITTLE = 200 << 20


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_answered(name, tmp_path):
    if sys.platform == "win32" and "\x1b" in FILES[name].place:
        pytest.skip("Windows knows no such file names")
    answer("PickleAsLora", tmp_path)  # wakes what the readers need, so that it is not counted
    began, before = time.process_time(), psutil.Process().memory_info().rss
    told = answer(name, tmp_path)
    assert FILES[name].answer in told
    assert time.process_time() - began < QUICK_S
    assert psutil.Process().memory_info().rss - before < LITTLE
    assert "\x1b" not in told
    assert not any(line.startswith(("::", "##[")) for line in told.splitlines())
