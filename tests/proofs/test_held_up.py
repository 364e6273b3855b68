"""The proof that recommendations hold up: its judgement, and what the documentation says of it."""

from __future__ import annotations

import numpy as np

from tests.proofs.held_up.__main__ import BEGIN, END, PAGE, known
from tests.proofs.held_up.judging import judge, summary

NAMES = ("One", "Two", "Three")


def halves(*means, seeds=2, pictures=5, noise=0.01):
    """Losses of three contributions, (3, seeds, pictures), around their means."""
    random = np.random.default_rng(0)
    return np.array(means)[:, None, None] + noise * random.standard_normal((3, seeds, pictures))


def test_the_best_of_one_half_is_looked_for_in_the_other():
    base = (np.full(5, 0.8), np.full(5, 0.8))
    line = judge(3, NAMES, base, (halves(0.4, 0.6, 0.7), halves(0.5, 0.41, 0.7)))
    assert (line.split, line.first, line.best) == (3, "One", "Two")
    assert line.chance > 0.9
    assert line.tied == ()
    assert abs(line.lost - 0.09 / 0.8) < 0.01
    held = judge(4, NAMES, base, (halves(0.4, 0.6, 0.7), halves(0.4, 0.6, 0.7)))
    assert (held.first, held.best, held.lost) == ("One", "One", 0.0)
    assert "1 of 2 splits" in summary([line, held])


def test_the_documentation_says_what_the_log_says():
    text = PAGE.read_text(encoding="utf-8")
    block = text.partition(BEGIN)[2].partition(END)[0].strip()
    lines = known()
    assert len({line.split for line in lines}) == len(lines)
    assert block == (summary(lines) if lines else "")
