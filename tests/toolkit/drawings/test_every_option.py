"""Every option of ``python -m src.generate`` changes the pictures as it says; or is refused.

Each option has a function here, called like it. An option without one fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.every_option import effect_of, options_of
from tests.toolkit.drawings.test_cli import base, draw, loras, pixels
from toolkit.drawings import cli
from toolkit.drawings.metadata import read_drawing

__all__ = ["base", "draw", "loras"]

# diffusers 0.42 hands numpy 2 a tensor in the sampler euler_a.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Bench(NamedTuple):
    """Draws with a random base and random LoRA files."""

    draw: Callable[..., list[Path]]
    base: Path
    loras: Path
    folder: Path

    def picture(self, *words: str) -> np.ndarray:
        """The first picture of a command line, (h, w, 3)."""
        return pixels(self.draw("--prompt", "a red circle", *words)[0])

    def differs(self, *words: str, beside: tuple[str, ...] = ()) -> bool:
        """Whether words change the picture; the same words give the same one."""
        drawn = [self.picture(*beside, *more) for more in ((), words, words)]
        assert np.array_equal(drawn[1], drawn[2])
        return drawn[0].shape != drawn[1].shape or not np.array_equal(drawn[0], drawn[1])


@pytest.fixture
def bench(draw, base, loras, tmp_path) -> Bench:
    return Bench(draw, base, loras, tmp_path)


def base_(bench: Bench) -> None:
    from tests.src.support import build_pipeline

    other = build_pipeline()
    other.unet.conv_in.weight.data.mul_(2)
    other.save_pretrained(bench.folder / "other")
    assert bench.differs("--base", str(bench.folder / "other"))


def lora(bench: Bench) -> None:
    assert bench.differs("--lora", str(bench.loras / "lora0.safetensors"))


def prompt(bench: Bench) -> None:
    assert len(bench.draw("--prompt", "a dog", "--prompt", "a cat")) == 3  # with the grid
    one, other = (pixels(bench.draw("--prompt", text)[0]) for text in ("a dog", "a cat"))
    assert not np.array_equal(one, other)


def negative(bench: Bench) -> None:
    assert bench.differs("--negative", "blur")


def count(bench: Bench) -> None:
    assert len(bench.draw("--prompt", "a", "--count", "3")) == 4  # with the grid


def seed(bench: Bench) -> None:
    assert bench.differs("--seed", "5")


def steps(bench: Bench) -> None:
    assert bench.differs("--steps", "3")


def guidance(bench: Bench) -> None:
    assert bench.differs("--guidance", "9")


def scale(bench: Bench) -> None:
    beside = ("--lora", str(bench.loras / "lora0.safetensors"))
    assert bench.differs("--scale", "0.5", beside=beside)
    assert np.array_equal(bench.picture(), bench.picture(*beside, "--scale", "0"))


def scheduler(bench: Bench) -> None:
    assert bench.differs("--scheduler", "euler_a")


def width(bench: Bench) -> None:
    assert bench.picture("--width", "48").shape == (48, 48, 3)


def height(bench: Bench) -> None:
    side = bench.picture().shape[0]
    assert bench.picture("--height", "48").shape == (48, side, 3)


def out(bench: Bench) -> None:
    (path,) = bench.draw("--prompt", "a", out="elsewhere")
    assert path.parent.name == "elsewhere"


def again(bench: Bench) -> None:
    (path,) = bench.draw("--prompt", "a dog", "--seed", "3")
    (second,) = bench.draw("--again", path, out="again")
    assert np.array_equal(pixels(path), pixels(second))


def device(bench: Bench) -> None:
    # No other device is on the machines that test this: it is refused, not ignored.
    said = bench.draw("--prompt", "a", "--device", "mps", code=1)
    assert "mps" in said


def config(bench: Bench) -> None:
    (bench.folder / "my.toml").write_text("[generate]\nseed = 5\n", encoding="utf-8")
    (path,) = bench.draw("--prompt", "a", "--config", bench.folder / "my.toml")
    assert read_drawing(path).config.seed == 5


OPTIONS = [one.option_strings[0] for one in options_of(cli.build_parser())]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_does_what_it_says(option, bench):
    effect_of(option, globals())(bench)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--prompt", "a", "--scale", "0.5"], "--scale needs a --lora"),
        (["--prompt", "a", "--negative", "blur", "--guidance", "1"], "--negative needs"),
        (["--again", "a.png", "--steps", "5", "--seed", "2"], "--seed, --steps beside --again"),
        (["--prompt", "a", "--width", "0"], "width: Input should be"),
        (["--prompt", "a", "--height", "0"], "height: Input should be"),
    ],
)
def test_an_option_without_effect_is_refused(words, says, capsys):
    assert cli.main(lambda **_: [], 1, words) == 2
    assert says in re.sub(r"\s+", " ", capsys.readouterr().err)
