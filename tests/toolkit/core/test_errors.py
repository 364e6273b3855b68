"""How exceptions are told: in one line, also those that a stranger wrote."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from toolkit.core.errors import describe
from toolkit.core.settings import TrainResult


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_an_exception_is_its_type_and_its_message():
    assert describe(ValueError("too long")) == "ValueError: too long"


def test_one_that_cannot_be_turned_into_text_is_told_all_the_same():
    assert describe(Wordless()) == "Wordless: (its message cannot be read)"


def test_of_a_record_with_faults_the_first_is_told_and_the_others_counted():
    with pytest.raises(ValidationError) as caught:
        TrainResult(losses=(float("inf"), 0.5, float("nan")))
    assert describe(caught.value) == (
        "TrainResult: losses.0 is inf. Input should be a finite number. (1 more like it)"
    )
