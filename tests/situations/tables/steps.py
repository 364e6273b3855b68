"""Ends of ranges when drawing, and prompts that are read otherwise than they look."""

from __future__ import annotations

from tests.situations.situation import Situation

PART = "Drawing: steps and prompts"


def row(title, happens, options, says, code=2) -> Situation:
    return Situation(PART, title, happens, {}, f"draw --prompt a {options}", code, says)


BEYOND = ("begin at timestep 1000", "and the base has 1000")

CASES = [
    *(
        row(
            f"`--steps 1000 --scheduler {name}`",
            f"refused: {most} work",
            f"--steps 1000 --scheduler {name}",
            ("steps of", f"Take {most} or fewer"),
        )
        for name, most in (("pndm", 999), ("ddim", 999), ("dpm++_2m", 998), ("unipc", 998))
    ),
    *(
        row(
            f"`--steps 999 --scheduler {name}`",
            "refused: it would draw black",
            f"--steps 999 --scheduler {name}",
            (*BEYOND, "Take 998 or fewer"),
        )
        for name in ("dpm++_2m", "unipc")
    ),
    row("`--steps 1000` with the base's own sampler", "refused", "--steps 1000", BEYOND),
    row("`--steps 1001`", "refused: out of range", "--steps 1001", ("--steps: Input should be",)),
    row("`--steps 0`", "refused: out of range", "--steps 0", ("--steps: Input should be",)),
    row(
        "`--guidance -1`",
        "refused: out of range",
        "--guidance -1",
        ("--guidance: Input should be",),
    ),
    row("`--width 100`", "refused: a multiple of 8", "--width 100", ("width",)),
    row(
        "`--scheduler eulr`",
        "refused: the names are listed",
        "--scheduler eulr",
        ("scheduler", "'euler'"),
    ),
    row("`--count 0`", "refused", "--count 0", ("--count is at least 1",)),
    row("`--seed -1`", "refused: out of range", "--seed -1", ("seed",)),
]
