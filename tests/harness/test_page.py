"""The page: escaped, self-contained, with this run's row in its place."""

import re

from PIL import Image

from harness import results
from harness.page import neighbours, polyline, write_page, write_sheet
from harness.records import Finding
from harness.track import load_track
from tests.harness.support import example_row

EVIL = "<script>alert(1)</script>"


def page_of(row, tmp_path, findings=(), columns=()):
    write_page(tmp_path / "page.html", row, findings, columns, load_track("robot"))
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def columns(tmp_path):
    tmp_path.mkdir(exist_ok=True)
    files = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (64, 64), (number * 60, 0, 0)).save(path)
        files.append(path)
    return [("base", files), (EVIL, files)]


def test_the_page_shows_verdict_figures_and_pictures(runs, tmp_path):
    text = page_of(example_row(), tmp_path, columns=columns(tmp_path / "pictures"))
    assert "Foo lowers the loss." in text
    assert "37.5 %" in text
    assert text.count("data:image/png;base64,") == 8
    assert "nox -s contribution -- Foo" in text


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
        results.write_row(results.recorded_path(row), row)
    order = [(mine, row.contribution) for mine, row in neighbours(example_row())]
    assert order == [(False, "High"), (True, "Foo"), (False, "Low")]


def test_the_curve_runs_from_left_to_right_inside_its_frame():
    points = [tuple(map(float, p.split(","))) for p in polyline([1.0, 0.5, 0.25]).split()]
    assert [x for x, _ in points] == [0.0, 320.0, 640.0]
    assert all(0 <= y <= 160 for _, y in points)
    assert points[0][1] < points[2][1]  # a falling loss goes down
    assert polyline([1.0]) == ""


def test_the_sheet_is_small_and_holds_every_picture(tmp_path):
    write_sheet(tmp_path, columns(tmp_path / "pictures"), ["a", "b", "c", "d"])
    with Image.open(tmp_path / "sheet.webp") as sheet:
        assert sheet.width > 2 * 128
        assert sheet.height > 4 * 128
    assert (tmp_path / "sheet.webp").stat().st_size < 50_000
