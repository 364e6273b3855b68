"""The site in a real browser, opened from files: it sorts, filters, draws and asks for nothing."""

from __future__ import annotations

import re
import time

import pytest
from PIL import Image

from benchmarks import screenshots
from harness import paths
from harness.board.collect import collect
from harness.board.site import build
from tests.harness.board.browser import browser, find_browser
from tests.harness.board.synthetic_hub import make_row, make_sheet, record
from toolkit.core.settings import HOOK_NAMES

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason="no Chromium is installed, so no page can be opened in one"
)


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(tab):
    """The tab at desktop size; afterwards nothing may have gone wrong on the page."""
    tab.show(1280, 900)
    yield tab
    assert tab.complaints() == []
    assert [url for url in tab.requests() if not url.startswith("file:")] == []


def names(page):
    return page.run("[...document.querySelectorAll('#board tbody th a')].map(a => a.textContent)")


def click_heading(page, text):
    page.run(
        "[...document.querySelectorAll('#board thead th')]"
        f".find(h => h.textContent.trim().startsWith({text!r})).click()"
    )


def texts(page, heading):
    """What the column under that heading says, row by row; columns come and go with the rows."""
    return page.run(
        "(() => { const heads = [...document.querySelectorAll('#board thead th')];"
        f"const at = heads.findIndex(h => h.textContent.trim() === {heading!r});"
        "const rows = [...document.querySelectorAll('#board tbody tr')];"
        "return rows.map(r => r.cells[at].textContent); })()"
    )


def choose(page, name, value):
    page.run(
        f"(() => {{ const s = document.getElementById({name!r}); s.value = {value!r};"
        "s.dispatchEvent(new Event('change')); })()"
    )


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(page, built):
    page.open((built / "track0/index.html").as_uri())
    gains = "[...document.querySelectorAll('#board tbody tr')].map(r => +r.cells[3].dataset.order)"
    before = page.run(gains)
    click_heading(page, "gain")
    rising = page.run(gains)
    assert rising == sorted(before)
    click_heading(page, "gain")
    assert page.run(gains) == sorted(before, reverse=True)
    assert page.run("document.querySelectorAll('#board th[aria-sort]').length") == 1


def test_groups_are_parted_by_a_line_until_the_table_is_sorted_by_something_else(page, built):
    page.open((built / "track0/index.html").as_uri())
    width = "getComputedStyle(document.querySelector('tr.next-group td')).borderTopWidth"
    assert page.run(width) == "2px"
    click_heading(page, "gain")
    assert page.run(width) == "0px"


def test_the_keyboard_sorts_too(page, built):
    page.open((built / "track0/index.html").as_uri())
    before = names(page)
    page.run(
        "[...document.querySelectorAll('#board thead th')].find(h => "
        "h.textContent.trim().startsWith('contribution')).querySelector('[role=button], button')"
        ".focus()"
    )
    page.press("Enter", 13, "\r")
    wanted = sorted(before, key=str.lower)
    assert wanted != before
    deadline = time.monotonic() + 300
    while names(page) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)  # the key travels through the browser's own queue of events
    assert names(page) == wanted


def test_filters_narrow_the_table_and_say_how_many_are_left(page, built):
    page.open((built / "track0/index.html").as_uri())
    choose(page, "filter-state", "pending")
    states = "[...document.querySelectorAll('#board tbody tr')].map(r => r.dataset.state)"
    assert set(page.run(states)) == {"pending"}
    count = len(page.run(states))
    assert page.run("document.getElementById('shown').textContent") == f"{count} of 31 lines"
    choose(page, "filter-state", "")
    choose(page, "filter-hook", "generate")
    hooks = page.run("[...document.querySelectorAll('#board tbody tr')].map(r => r.dataset.hooks)")
    assert hooks
    assert all("generate" in text.split(", ") for text in hooks)
    choose(page, "filter-hook", "")
    page.run(
        "(() => { const s = document.getElementById('search'); s.value = 'Idea12';"
        "s.dispatchEvent(new Event('input')); })()"
    )
    assert names(page) == ["Idea12"]


def test_a_recipe_is_found_by_the_word_that_its_line_says(page, small):
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.34, origins=hooks_of(make_lora="Two")))
    record(make_row("robot", "Two", 0.34, origins=hooks_of()))
    build(collect(), small / "site")
    page.open((small / "site/robot/index.html").as_uri())
    choose(page, "filter-hook", "recipe")
    assert (names(page), texts(page, "own hooks")) == (["One"], ["recipe"])
    choose(page, "filter-hook", "settings only")
    assert "One" not in names(page)
    assert set(texts(page, "own hooks")) == {"settings only"}


def test_a_line_of_the_table_is_one_line_high(page, small):
    record(make_row("robot", "reference", 0.33, origin="self-reported"))
    record(make_row("robot", "One", 0.34, origin="self-reported"))
    build(collect(), small / "site")
    page.open((small / "site/robot/index.html").as_uri())
    heights = "[...document.querySelectorAll('#board tr.measured')].map(r => r.offsetHeight)"
    assert all(height < 45 for height in page.run(heights))
    # The whole table, no column beyond the edge: the tab is 1280 pixels wide.
    around = "document.querySelector('#board').closest('.scroll')"
    assert page.run(f"{around}.scrollWidth <= {around}.clientWidth")


def hooks_of(**taken):
    """Return whose each hook is: the reference's, but for those that are taken."""
    return {hook: taken.get(hook, "reference") for hook in HOOK_NAMES}


def test_the_plot_shows_everybody_who_ranks_for_every_choice(page, built):
    page.open((built / "track0/index.html").as_uri())
    measured = page.run("document.querySelectorAll('#board tr.measured').length")
    options = page.run("[...document.getElementById('plot-x').options].map(o => o.value)")
    assert {"drift", "time_ratio", "kilobytes"} <= set(options)
    for option in options:
        choose(page, "plot-x", option)
        assert page.run("document.getElementById('plot').dataset.points") == str(measured)
        assert int(page.run("document.getElementById('plot').dataset.names")) >= 3
    drawn = "document.getElementById('plot').toDataURL().length"
    assert page.run(drawn) > 5000


def test_curves_can_be_added_and_cleared(page, built):
    page.open((built / "track0/index.html").as_uri())
    curves = "document.getElementById('curves').dataset.curves"
    assert "reference" in page.run(curves)
    page.run("document.getElementById('curve-clear').click()")
    assert page.run(curves) == ""
    page.run("document.getElementById('curve-name').value = 'Idea12'")
    page.run("document.getElementById('curve-add').click()")
    assert page.run(curves) == "Idea12"


def test_a_name_that_every_object_has_is_no_curve(page, built):
    page.open((built / "track0/index.html").as_uri())
    curves = "document.getElementById('curves').dataset.curves"
    before = page.run(curves)
    page.run("document.getElementById('curve-name').value = 'constructor'")
    page.run("document.getElementById('curve-add').click()")
    assert page.run(curves) == before


@pytest.mark.parametrize("asked", ["%", "%E0%A4,Idea2", "constructor,toString", "Nobody", ","])
def test_an_address_that_names_nobody_compares_the_first_two(page, built, asked):
    page.open((built / "track0/compare.html").as_uri() + f"#{asked}")
    chosen = "[document.getElementById('one').value, document.getElementById('two').value]"
    options = page.run("[...document.getElementById('one').options].map(o => o.value)")
    assert page.run(chosen) == options[:2]
    assert page.run("document.querySelectorAll('#seeds tbody tr').length") > 0


@pytest.mark.parametrize("name", ["index", "gallery", "compare"])
def test_a_track_without_rows_is_shown_without_a_complaint(page, built, name):
    page.open((built / "fresh" / f"{name}.html").as_uri())
    assert "A track without rows" in page.run("document.querySelector('h1').textContent")


def test_a_click_on_a_point_opens_its_contribution(page, built):
    page.open((built / "track0/index.html").as_uri())
    page.run("document.getElementById('plot').scrollIntoView()")
    place = page.run(
        "(() => { const c = Chart.getChart('plot'); const p = c.getDatasetMeta(0).data[0];"
        "const r = c.canvas.getBoundingClientRect(); return [r.left + p.x, r.top + p.y,"
        "c.data.datasets[0].data[0].entry.name]; })()"
    )
    common = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
    page.call("Input.dispatchMouseEvent", type="mousePressed", **common)
    page.call("Input.dispatchMouseEvent", type="mouseReleased", **common)
    page.await_title(place[2])


def test_the_gallery_shows_the_chosen_prompt_of_everybody(page, built):
    page.open((built / "track0/gallery.html").as_uri())
    top = "getComputedStyle(document.querySelector('.shot img')).top"
    opened = int(page.run("document.querySelector('input[name=prompt]:checked').value"))
    assert page.run(top) == f"-{18 + opened * (128 + 6 + 16)}px"
    page.run("document.querySelectorAll('input[name=prompt]')[0].click()")
    assert page.run(top) == "-18px"
    page.run("document.querySelectorAll('input[name=prompt]')[2].click()")
    assert page.run(top) == f"-{18 + 2 * (128 + 6 + 16)}px"
    page.run(
        "Promise.all([...document.images].slice(0, 6).map(i => { i.loading = 'eager';"
        "return i.decode(); }))"
    )
    widths = page.run("[...document.images].slice(0, 6).map(i => i.naturalWidth)")
    assert all(width > 500 for width in widths)


def test_two_sheets_of_unlike_width_are_shown_in_one_scale(page, small):
    record(make_row("robot", "reference", 0.33), make_sheet("robot", columns=4))
    record(make_row("robot", "One", 0.34), make_sheet("robot"))
    build(collect(), small / "site")
    page.show(1000, 800)
    page.open((small / "site/robot/compare.html").as_uri() + "#One,reference")
    pictures = "[...document.querySelectorAll('#sheets img')]"
    page.run(f"Promise.all({pictures}.map(i => i.decode()))")
    one, reference = page.run(f"{pictures}.map(i => i.clientWidth / i.naturalWidth)")
    assert one < 1
    assert abs(one - reference) < 0.01
    assert page.run("document.getElementById('seeds-one').textContent") == "One, gain %"


def test_two_are_compared_pair_by_pair(page, built):
    page.open((built / "track0/compare.html").as_uri() + "#Idea1,Idea2")
    sentence = page.run("document.getElementById('sentence').textContent")
    assert "points more than" in sentence
    assert "95 % interval" in sentence
    seeds = page.run(
        "[...document.querySelectorAll('#seeds tbody tr')].map(r => +r.cells[3].textContent)"
    )
    mean = abs(sum(seeds) / len(seeds))
    assert f"{mean:.1f}" in sentence or f"{mean:.2f}" in sentence
    assert page.run("document.querySelectorAll('#figures tbody tr').length") >= 8
    page.run(
        "new Promise(done => { addEventListener('hashchange', done, {once: true});"
        "location.hash = '#Idea2,Idea4'; })"
    )
    assert page.run("document.getElementById('head-two').textContent") == "Idea4"
    choose(page, "one", "Idea1")
    choose(page, "two", "Idea1")
    assert "different ones" in page.run("document.getElementById('sentence').textContent")


@pytest.mark.parametrize("name", ["index", "track0/index", "contributions/Idea4", "protocol"])
@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1280, True)])
def test_no_page_is_wider_than_its_window_and_text_is_readable(page, built, name, width, dark):
    page.show(width, 844, dark=dark, phone=width < 500)
    page.open((built / f"{name}.html").as_uri())
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run(CONTRAST) == []


# The texts whose contrast with the ground behind them is under 4.5, WCAG's AA.
CONTRAST = """
(() => {
  const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = c.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const bad = new Set();
  for (const e of document.querySelectorAll("main *, header *, footer *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length || e.matches("option, noscript, script")) continue;
    const [a, b] = [light(rgba(getComputedStyle(e).color).slice(0, 3)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.add(`${e.tagName}.${e.className} ${ratio.toFixed(1)}`);
  }
  return [...bad];
})()
"""


def test_every_control_and_picture_has_a_name_for_a_screen_reader(page, built):
    for name in (
        "index",
        "track0/index",
        "track0/gallery",
        "track0/compare",
        "contributions/Idea4",
    ):
        page.open((built / f"{name}.html").as_uri())
        tree = page.call("Accessibility.getFullAXTree")["nodes"]
        nameless = [
            node["role"]["value"]
            for node in tree
            if not node.get("ignored")
            and node["role"]["value"]
            in {"button", "link", "textbox", "searchbox", "combobox", "image", "img", "radio"}
            and not node.get("name", {}).get("value")
        ]
        assert nameless == [], name


def test_the_pictures_of_the_documentation_are_taken_in_one_go(built, tmp_path):
    names = {shot.file for shot in screenshots.SHOTS}
    assert (
        screenshots.main(["--site", str(built), "--track", "track0", "--out", str(tmp_path)]) == 0
    )
    # The verdict's picture has its digests beside it; tests/benchmarks looks at these.
    shots = names | {"verdict.webp"}
    assert {path.name for path in tmp_path.iterdir()} == shots | {"verdict.json"}
    for path in sorted(tmp_path.glob("*.webp")):
        with Image.open(path) as picture:
            # A page has the width of a window; the verdict's is cut to its content.
            assert picture.width in {390, 1280} or path.stem == "verdict"
            assert len(picture.getcolors(1 << 24)) > 50  # not an empty page
        assert path.stat().st_size < 200_000
    page = (paths.ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    assert set(re.findall(r"board_\w+\.webp", page)) <= names


def test_a_site_that_is_not_there_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(SystemExit, match="nox -s leaderboard"):
        screenshots.main(["--site", str(tmp_path), "--out", str(tmp_path)])
