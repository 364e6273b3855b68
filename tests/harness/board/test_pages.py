"""The pages: complete, closed, and deaf to what strangers write."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.board.collect import collect
from harness.board.downloads import badge_svg, csv_text
from harness.board.entries import thinned
from harness.board.lineage import Lineage
from harness.board.markdown import render
from harness.board.pages import track_page
from harness.board.site import HERE, build
from harness.protocol.row import Row
from tests.harness.board import synthetic_hub
from tests.harness.board.conftest import REAL_TRACKS
from tests.harness.board.synthetic_hub import make_row, make_sheet, record

EVIL = '</script><script>alert(1)</script>"><img src=x onerror=alert(1)>'


class Links(HTMLParser):
    """Collects every address on a page."""

    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [(tag, value) for key, value in attrs if key in {"href", "src"}]
        assert not [key for key, _ in attrs if key.startswith("on") or key == "style"], tag


def parsed(path):
    reader = Links()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(built):
    pages = sorted(built.rglob("*.html"))
    assert len(pages) == 2 + 3 * 3 + 31
    for page in pages:
        for tag, address in parsed(page).found:
            parts = urlsplit(address)
            if parts.scheme:
                assert (parts.scheme, tag) == ("https", "a"), (page, address)
            elif parts.path:
                target = (page.parent / unquote(parts.path)).resolve()
                assert target.is_file(), f"{page.relative_to(built)}: {address}"


def test_every_page_forbids_everything_but_its_own_files(built):
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy


def test_what_strangers_write_never_becomes_markup(small):
    folder = small / "CONTRIBUTIONS" / "One"
    toml = folder / "contribution.toml"
    text = toml.read_text(encoding="utf-8")
    evil = json.dumps(EVIL)
    text = re.sub(r"authors = .*", lambda _: f"authors = [{evil}]", text)
    text = re.sub(r"summary = .*", lambda _: f"summary = {evil}", text)
    text = re.sub(r"based_on = .*", lambda _: f"based_on = [{evil}]", text)
    toml.write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(f"# Hi\n\n{EVIL}\n\n[x](javascript:alert(1))\n", "utf-8")
    record(make_row("robot", "reference", 0.33), make_sheet("robot"))
    error = {"kind": EVIL, "what": EVIL, "where": EVIL, "fix": EVIL, "log_tail": [EVIL]}
    changes = {"status": "failed", "verdict": None, "scores": (), "error": error}
    record(make_row("robot", "One", 0.36, summary=EVIL, authors=(EVIL,), **changes))
    board = collect()
    build(board, small / "site")
    for page in (small / "site").rglob("*.html"):
        reader = parsed(page)
        assert reader.tags.count("script") == page.read_text("utf-8").count("<script")
        assert not [a for _, a in reader.found if a in {"x", "javascript:alert(1)"}]
        assert "<script>alert" not in page.read_text(encoding="utf-8")
        assert "onerror=alert(1)>" not in page.read_text(encoding="utf-8").replace("&gt;", "")


def test_the_same_rows_give_the_same_bytes(small):
    record(make_row("robot", "reference", 0.33), make_sheet("robot"))
    build(collect(), small / "one")
    build(collect(), small / "two")
    one, two = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
                for f in (small / "one", small / "two"))  # fmt: skip
    assert one == two


def test_the_sheet_of_an_older_hub_is_not_cut_up(small):
    record(make_row("robot", "reference", 0.33), make_sheet("robot"))
    record(make_row("robot", "One", 0.36), make_sheet("robot"))
    file = small / "leaderboard" / "results" / "robot" / "One.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"schema_version": 3', '"schema_version": 1'), encoding="utf-8")
    build(collect(), small / "site")
    sheets = {path.name for path in (small / "site" / "sheets").rglob("*.webp")}
    assert sheets == {"reference.webp"}
    page = (small / "site" / "robot" / "gallery.html").read_text(encoding="utf-8")
    assert page.count("reference.webp") == 2  # its column, and the base's
    assert "One.webp" not in page


def test_a_sheet_that_is_no_picture_stops_nobody_s_page(small, capsys):
    record(make_row("robot", "reference", 0.33), make_sheet("robot"))
    record(make_row("robot", "One", 0.36), make_sheet("robot"))
    (small / "leaderboard" / "results" / "robot" / "One.webp").write_bytes(b"<script>1</script>")
    build(collect(), small / "site")
    sheets = {path.name for path in (small / "site" / "sheets").rglob("*.webp")}
    assert sheets == {"reference.webp"}
    assert "robot/One.webp: no picture" in capsys.readouterr().err


def test_the_gallery_says_who_drew_what_the_hub_could_not(small):
    record(make_row("robot", "reference", 0.33), make_sheet("robot"))
    build(collect(), small / "site")
    page = small / "site" / "robot" / "gallery.html"
    assert "unmergeable" not in page.read_text(encoding="utf-8")
    row = make_row("robot", "One", 0.36).model_dump()
    own = {"seed": 0, "own": (one := row["scores"][0]["own"]["pictures"]), "reference": one}
    changes = {
        "status": "unmergeable",
        "scores": (),
        "verdict": None,
        "own_pictures": (own | {"train_seconds": 15.0},),
        "error": {"kind": "DeltaError", "what": "no change of weights"},
    }
    record(Row.model_validate(row | changes), make_sheet("robot"))
    build(collect(), small / "site")
    text = page.read_text(encoding="utf-8")
    assert "of those marked unmergeable you see what their own <code>generate</code> drew" in text


def test_the_home_page_leaves_out_controls_and_lines_of_nobody(built, small):
    home = (built / "index.html").read_text(encoding="utf-8")
    assert home.count("No contribution has been measured on it yet.") == 1  # the track `fresh`
    fresh = home[home.index("A track without rows") :]
    assert ">pending<" not in fresh
    record(make_row("robot", "reference", 0.33))
    record(Row.model_validate(make_row("robot", "One", 0.36).model_dump() | {"control": True}))
    build(collect(), small / "site")
    home = (small / "site" / "index.html").read_text(encoding="utf-8")
    assert "contributions/reference.html" in home
    assert "contributions/One.html" not in home


def test_a_folder_that_is_not_ours_is_never_replaced(small):
    from toolkit.core.errors import UsageError

    (small / "mine").mkdir()
    (small / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError, match="not of a site"):
        build(collect(), small / "mine")
    assert (small / "mine" / "thesis.txt").is_file()
    build(collect(), small / "site")
    build(collect(), small / "site")  # but ours is


@pytest.mark.parametrize("hits", [(), (True, True, True, False)])
def test_a_hit_rate_stands_on_the_pages_once_it_is_measured(small, hits):
    row = make_row("robot", "One", 0.36).model_dump()
    for score in row["scores"]:
        score["own"]["pictures"]["hits"] = hits
    record(Row.model_validate(row))
    build(collect(), small / "site")
    page = (small / "site" / "robot" / "index.html").read_text(encoding="utf-8")
    assert ("hit rate %" in page) == bool(hits)
    # Five seeds of four pictures: Wilson's interval of 15 of 20.
    assert ('data-order="0.75">75 <span class="soft">(53 to 89)</span>' in page) == bool(hits)


def test_the_downloads_hold_every_line(built):
    text = (built / "data/track0.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(text.splitlines()))
    entries = json.loads((built / "data/track0.json").read_text(encoding="utf-8"))["entries"]
    assert [line["name"] for line in lines] == [entry["name"] for entry in entries]
    assert len(lines) == 31
    first = next(line for line in lines if line["state"] == "measured")
    assert float(first["interval_low"]) < float(first["interval_high"])


def test_a_spreadsheet_runs_nothing(small):
    record(make_row("robot", "One", 0.3, authors=("=cmd()",), origin="ci"))
    assert "'=cmd()" in csv_text(collect().of_track("robot"))


def test_the_badges_are_small_and_say_the_verdict(built):
    for badge in (built / "badges").glob("*.svg"):
        assert badge.stat().st_size < 1500
    entry = next(e for e in json.loads((built / "data/track0.json").read_text())["entries"]
                 if e["outcome"] == "better")  # fmt: skip
    badge = (built / "badges" / f"{entry['name']}.svg").read_text(encoding="utf-8")
    assert re.search(r": better on track\d \+\d", badge)


def test_badge_and_page_show_the_track_with_most_evidence(small):
    synthetic_hub.add_track(REAL_TRACKS, "apple", "First by its letter")
    for track, gain in (("apple", 0.3301), ("robot", 0.38)):
        record(make_row(track, "reference", 0.33))
        row = make_row(track, "One", gain)
        record(row.model_copy(update={"scores": row.scores[: 4 if track == "apple" else 5]}))
    board = collect()
    shown = {entry.track: entry.evidence for entry in board.by_name["One"]}
    assert shown == {"apple": ("checked",), "robot": ("checked", "five seeds")}
    build(board, small / "site")
    badge = (small / "site" / "badges" / "One.svg").read_text(encoding="utf-8")
    assert re.search(r"<title>SD LoRA hub: One: better on robot \+\d", badge)
    page = (small / "site" / "contributions" / "One.html").read_text(encoding="utf-8")
    assert re.search(r"Shown on robot: <span class=\"evidence\".*five seeds</span>", page)


def test_a_badge_escapes_what_it_shows(small):
    from dataclasses import replace

    entry = replace(collect().entries[0], status="<&>")
    assert "<&>" not in badge_svg(entry)


def test_the_libraries_are_the_published_files():
    text = (HERE / "static" / "licences.txt").read_text(encoding="utf-8")
    sizes = 0
    for file in (HERE / "static").glob("*.min.js"):
        assert hashlib.sha256(file.read_bytes()).hexdigest() in text
        sizes += file.stat().st_size
    assert 0 < sizes < 1.5e6


# --- the parts ---


def test_a_readme_keeps_its_text_and_loses_its_tricks():
    links = "[good](https://e.org/?a=1&b=2) [bad](http://e.org)\n![pic](https://e.org/t.png)"
    html = str(render(f"# T\n\n**b** `c` {links} <b>raw</b>\n\n| a |\n|---|\n| 1 |\n"))
    assert "<h3>T</h3>" in html
    assert '<a href="https://e.org/?a=1&amp;b=2" rel="nofollow noopener">good</a>' in html
    assert "<span>bad</span>" in html
    assert "[picture: pic]" in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "<td>1</td>" in html


@settings(max_examples=100)
@given(st.text(alphabet="<>[]()!`*_#|\"'\\ \n:/ajvscriptxhe.o=&", max_size=60))
def test_no_markdown_makes_a_tag_that_could_act(text):
    reader = Links()
    reader.feed(str(render(text)))
    assert not set(reader.tags) & {"script", "img", "iframe", "svg", "form", "style", "link"}
    assert all(address.startswith("https://") for _, address in reader.found)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 10), max_size=400))
def test_a_thinned_curve_keeps_its_ends_and_its_mean(losses):
    curve = thinned(losses)
    assert len(curve) <= 60
    if losses:
        assert curve[-1][0] == len(losses)
        assert min(losses) - 1e-4 <= min(y for _, y in curve)
        assert max(y for _, y in curve) <= max(losses) + 1e-4


def contributions(**parents):
    from types import SimpleNamespace

    return {
        name: SimpleNamespace(file=SimpleNamespace(parents=tuple(based_on)))
        for name, based_on in parents.items()
    }


def shape(nodes):
    return {node.name + ("*" if node.here else ""): shape(node.children) for node in nodes}


def test_the_tree_has_parents_above_and_children_below():
    lineage = Lineage(contributions(A=[], B=["A"], C=["B"], D=["B", "Unknown"]))
    assert shape(lineage.tree("B")) == {"A": {"B*": {"C": {}, "D": {}}}}
    assert shape(lineage.tree("D")) == {"A": {"B": {"D*": {}}}, "Unknown": {"D*": {}}}
    assert Lineage(contributions(A=[])).tree("A") == []


def test_a_lineage_that_runs_in_circles_ends():
    lineage = Lineage(contributions(A=["A"], B=["C"], C=["B"]))
    for name in "ABC":
        assert len(json.dumps(shape(lineage.tree(name)))) < 500


def test_a_control_far_off_does_not_squeeze_the_others_together(small):
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.36))
    board = collect()
    one = next(entry for entry in board.of_track("robot") if entry.name == "One")
    far = replace(one, name="Far", control=True, difference=-6.5, interval=(-8.0, -5.0))
    page = track_page(board.tracks[0], [*board.of_track("robot"), far])
    assert float(page["scale"](0.0)) < 20  # as without it: the difference fills the line
    assert float(page["scale"](-6.5)) == 4.0  # at the edge
    assert "Far" not in {entry["name"] for entry in page["data"]["entries"]}
