"""The pages of figures say what the committed result files say, and nothing else."""

from __future__ import annotations

import itertools
import shlex
import xml.etree.ElementTree as ET

import pytest

from benchmarks import commands, page, plots
from benchmarks.plots import Bar
from harness.commands.cli import build_parser


def test_the_fast_forms_make_fewer_calls():
    # A fast form that made as many calls as the plain one would be none.
    for forms in page.read("profile")["step"].values():
        assert forms["src, fast lora"]["operations"] < forms["src, plain"]["operations"]


def test_all_pages_and_plots_are_those_of_the_committed_figures():
    for path, text in page.wanted().items():
        assert path.read_text(encoding="utf-8") == text, path.name


def test_a_target_that_was_missed_is_called_missed():
    form = {"ratio": 0.9, "ratio_low": 0.85, "ratio_high": 0.95}
    case = {"forms": {"src, fast lora": form, "src, fast all": form}}
    told = page.targets({"tiny-sd, 64 px, batch 1": case}, {})
    assert "| a step, to the floor's | 0.85 | 0.900 (0.850 to 0.950) | missed |" in told
    assert "| sd14, 512 px, batch 1 | a step, to the floor's | 1.00 | not measured | |" in told


@pytest.mark.parametrize("command", commands.COMMANDS.values())
def test_every_command_that_is_measured_can_be_typed(command):
    words = shlex.split(command)
    if words[:2] == ["-m", "harness"] and words[2:] != ["--help"]:
        build_parser(words[2]).parse_args(words[2:])


def lines_of(svg):
    return list(ET.fromstring(svg).iter())


def test_bars_are_as_long_as_their_figures_and_carry_their_spread():
    svg = plots.bars(
        "T & more", "ms", {"case": [Bar("a", 1.0, 0.5, 1.5), Bar("b", 2.0, None, None)]}, [1]
    )
    rects = [one for one in lines_of(svg) if one.tag.endswith("rect")][1:]
    widths = [float(one.get("width")) for one in rects]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    texts = [one.text for one in lines_of(svg) if one.tag.endswith("text")]
    assert {"a", "b", "T & more", "case", "2"} <= set(texts)


def test_a_constant_cost_is_a_flat_line_and_names_do_not_cover_each_other():
    flat = {10: 5.0, 100: 5.0, 1000: 5.0}
    svg = plots.curves("T", "ms", {"one": flat, "two": flat, "steep": {10: 1.0, 1000: 100.0}})
    points = [one.get("points") for one in lines_of(svg) if one.tag.endswith("polyline")]
    heights = [{pair.split(",")[1] for pair in line.split()} for line in points]
    assert sorted(len(one) for one in heights) == [1, 1, 2]
    names = [one for one in lines_of(svg) if one.text in ("one", "two", "steep")]
    ys = sorted(float(one.get("y")) for one in names)
    assert all(b - a >= 14 for a, b in itertools.pairwise(ys))
