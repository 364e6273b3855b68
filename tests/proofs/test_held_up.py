"""The proof that recommendations hold up: its judgement, and what the documentation says of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.proofs.held_up.__main__ import BEGIN, END, PAGE, known
from tests.proofs.held_up.judging import Half, Line, judge, summary

NAMES = ("One", "Two", "Three")


def half(*means, seeds=2, pictures=5, noise=0.01):
    """Losses of three contributions around their means."""
    random = np.random.default_rng(0)
    losses = {
        name: (mean + noise * random.standard_normal((seeds, pictures))).tolist()
        for name, mean in zip(NAMES, means, strict=True)
    }
    return Half([0.8] * pictures, losses)


def test_the_best_of_one_half_is_looked_for_in_the_other():
    found = judge(Line(3, half(0.4, 0.6, 0.7), half(0.5, 0.41, 0.7)))
    assert (found.first, found.best) == ("One", "Two")
    assert found.chance > 0.9
    assert found.tied == ()
    assert found.lost == pytest.approx(0.09 / 0.8, abs=0.02)
    held = Line(4, half(0.4, 0.6, 0.7), half(0.4, 0.6, 0.7))
    assert judge(held).best == "One"
    assert judge(held).lost == 0.0
    assert "1 of 2 splits" in summary([Line(3, half(0.4, 0.6, 0.7), half(0.5, 0.41, 0.7)), held])


def test_what_cannot_be_told_apart_is_named():
    found = judge(Line(0, half(0.5, 0.501, 5.0, noise=0.02), half(0.5, 0.5, 0.7)))
    assert found.tied == tuple({"One", "Two"} - {found.first})


def test_the_documentation_says_what_the_log_says():
    text = PAGE.read_text(encoding="utf-8")
    block = text.partition(BEGIN)[2].partition(END)[0].strip()
    lines = known()
    assert len({line.split for line in lines}) == len(lines)
    assert block == (summary(lines) if lines else "")
