"""The page: escaped, self-contained, with this run's row in its place."""

import io
import random
import re

from PIL import Image

from harness import paths
from harness.errors import Finding
from harness.protocol import row_files
from harness.protocol.track import load_track
from harness.runs.page import neighbours, polyline, write_page, write_sheet
from tests.harness.support import example_row
from toolkit.images.webp import MAX_STORED_BYTES, QUALITIES

EVIL = "<script>alert(1)</script>"
PROMPTS = len(load_track("robot").file.prompts)


def page_of(row, tmp_path, findings=(), columns=()):
    write_page(tmp_path / "page.html", row, findings, columns, load_track("robot"))
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def columns(tmp_path):
    tmp_path.mkdir(exist_ok=True)
    files = []
    for number in range(PROMPTS):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (64, 64), (number * 20, 0, 0)).save(path)
        files.append(path)
    return [("base", files), (EVIL, files)]


def test_the_page_shows_verdict_figures_and_pictures(runs, tmp_path):
    text = page_of(example_row(), tmp_path, columns=columns(tmp_path / "pictures"))
    assert "Foo lowers the loss." in text
    assert "37.5 %" in text
    assert text.count("data:image/png;base64,") == 2 * PROMPTS
    assert "nox -s contribution -- Foo" in text


def test_a_row_of_before_says_what_it_lacks_and_a_withheld_one_why(runs, tmp_path):
    old = page_of(example_row(), tmp_path)
    assert "older than the count of processor time" in old
    assert "were not counted" in old
    text = "Seed 0 made 225 optimiser steps; the budget is 75."
    error = {"kind": "Withheld", "what": f"No verdict is given: {text}"}
    flags = [{"kind": "over budget", "text": text}]
    counted = {
        "steps": 225, "trained_pictures": 1800, "other_pictures": 0, "rates": (1e-3, 1e-3),
        "attached": 0.0, "hook_seconds": {"make_dataset": 0.2, "train": 8.04},
    }  # fmt: skip
    row = example_row(status="withheld", verdict=None, error=error, flags=flags, counted=counted)
    page = page_of(row, tmp_path)
    assert page.count(text) == 2
    assert "225 optimiser steps, 1,800 pictures" in page
    assert "counted make_dataset 0.2 s, train 8.0 s of processor time" in page
    assert "Your row would be here" not in page


def test_nothing_a_stranger_wrote_becomes_html(runs, tmp_path):
    error = {"kind": "HookError", "what": EVIL, "where": EVIL, "fix": EVIL, "log_tail": [EVIL]}
    finding = Finding(rule="HUB001", severity="error", message=EVIL, path=EVIL, fix=EVIL)
    row = example_row(status="failed", error=error, summary=EVIL)
    text = page_of(row, tmp_path, findings=[finding], columns=columns(tmp_path / "pictures"))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 7


def test_the_page_asks_for_nothing_outside_itself(runs, tmp_path):
    text = page_of(example_row(), tmp_path, columns=columns(tmp_path / "pictures"))
    assert "default-src 'none'" in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)


def test_this_run_stands_where_its_gain_puts_it(runs):
    for name, gain in (("High", 0.5), ("Low", 0.1), ("Foo", 0.2)):
        verdict = {**example_row().verdict.model_dump(), "gain": gain}
        row = example_row(contribution=name, verdict=verdict)
        row_files.write_row(row_files.recorded_path(row), row)
    order = [(mine, row.contribution) for mine, row in neighbours(example_row()).rows]
    assert order == [(False, "High"), (True, "Foo"), (False, "Low")]


def test_only_the_nearest_rows_and_the_reference_are_shown(runs, tmp_path):
    gains = {f"Row{k}": 0.1 * k for k in range(9)} | {"reference": 0.05}
    for name, gain in gains.items():
        verdict = {**example_row().verdict.model_dump(), "gain": gain}
        row = example_row(contribution=name, verdict=verdict)
        row_files.write_row(row_files.recorded_path(row), row)
    verdict = {**example_row().verdict.model_dump(), "gain": 0.45}
    found = neighbours(example_row(verdict=verdict))
    names = [row.contribution for _, row in found.rows]
    assert names == ["Row7", "Row6", "Row5", "Foo", "Row4", "Row3", "Row2", "reference"]
    assert (found.above, found.below) == (1, 2)
    text = page_of(example_row(verdict=verdict), tmp_path)
    assert "1 more above" in text
    assert "2 more below" in text


def test_rows_of_another_protocol_are_never_beside_this_one(runs):
    row = example_row(contribution="Old", protocol_hash="sha256:old")
    row_files.write_row(row_files.recorded_path(row), row)
    assert [r.contribution for _, r in neighbours(example_row()).rows] == ["Foo"]


def test_flags_costs_and_unmeasured_figures_are_said(runs, tmp_path):
    flag = {"kind": "copies training pictures", "text": f"{EVIL} 80 % of them."}
    row = example_row(flags=[flag], not_measured={"determinism": "a quick run"})
    text = page_of(row, tmp_path)
    assert "copies training pictures" in text
    assert "<script" not in text
    assert "Not measured: determinism (a quick run)" in text
    assert "2 times" in text


def test_an_unmergeable_row_shows_what_its_pictures_are_worth(runs, tmp_path):
    pictures = example_row().scores[0].own.pictures.model_dump()
    row = example_row(
        status="unmergeable",
        scores=(),
        verdict=None,
        own_pictures=[{"seed": 0, "own": pictures, "reference": pictures, "train_seconds": 1.0}],
        error={"kind": "DeltaError", "what": "no change of weights"},
    )
    text = page_of(row, tmp_path, columns=columns(tmp_path / "pictures"))
    assert "Its own pictures, judged" in text
    assert "Your row would be here" not in text


def test_the_curve_runs_from_left_to_right_inside_its_frame():
    points = [tuple(map(float, p.split(","))) for p in polyline([1.0, 0.5, 0.25]).split()]
    assert [x for x, _ in points] == [0.0, 320.0, 640.0]
    assert all(0 <= y <= 160 for _, y in points)
    assert points[0][1] < points[2][1]  # a falling loss goes down
    assert polyline([1.0]) == ""


def test_the_sheet_is_small_and_holds_every_picture(tmp_path):
    write_sheet(tmp_path, columns(tmp_path / "pictures"), load_track("robot").file)
    with Image.open(tmp_path / "sheet.webp") as sheet:
        assert sheet.width > 2 * 128
        assert sheet.height > 4 * 128
    assert (tmp_path / "sheet.webp").stat().st_size <= MAX_STORED_BYTES


def test_a_sheet_of_noise_is_stored_in_a_lower_quality_until_it_fits(tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    files = []
    for number in range(PROMPTS):
        path = folder / f"{number}.png"
        Image.frombytes("RGB", (64, 64), random.Random(number).randbytes(64 * 64 * 3)).save(path)
        files.append(path)
    write_sheet(tmp_path, [(name, files) for name in "ab"], load_track("robot").file)
    with Image.open(tmp_path / "sheet.webp") as sheet:
        best = io.BytesIO()
        sheet.save(best, "WEBP", quality=QUALITIES[0], method=6)
    assert best.tell() > MAX_STORED_BYTES
    assert (tmp_path / "sheet.webp").stat().st_size <= MAX_STORED_BYTES


def test_every_sheet_of_the_board_is_small():
    sheets = {path: path.stat().st_size for path in paths.RESULTS.rglob("*.webp")}
    assert sheets
    assert {path: size for path, size in sheets.items() if size > MAX_STORED_BYTES} == {}
