"""A command that is typed into a process shows and returns what one of its own would."""

import os

import pytest

from harness import paths
from tests.typed import Typist


@pytest.fixture(scope="module")
def typist():
    with Typist(paths.ROOT) as typist:
        yield typist


def test_each_command_has_its_own_code_output_and_errors(typist):
    explained = typist("explain", "HUB204")
    assert (explained.returncode, explained.stderr) == (0, "")
    assert "HUB204" in explained.stdout
    unknown = typist("explain", "HUB999")
    assert unknown.returncode != 0
    assert "HUB999" in unknown.stderr
    assert "HUB204" not in unknown.stdout + unknown.stderr
    misspelt = typist("explian")
    assert misspelt.returncode == 2
    assert "explian" in misspelt.stderr


def test_a_process_that_ends_is_an_error_and_no_answer(typist):
    typist.process.kill()
    with pytest.raises((AssertionError, OSError)):
        for _ in range(2):
            typist("list")
    assert typist.process.wait() == -9 or os.name == "nt"
