"""A board of a hundred is built and drawn. How fast is the benchmark's matter: no test is timed."""

from __future__ import annotations

from benchmarks import site
from tests.harness.board.browser import find_browser

TRACK_PAGE_BYTES = 1_000_000  # what keeps the first view short is the size of its page


def test_a_board_of_a_hundred_is_built_and_drawn_without_a_complaint(tmp_path):
    found = site.measure(100, 1, tmp_path)
    assert found["contributions"] == 100
    assert found["build_cpu_s"] >= found["collect_cpu_s"] > 0
    assert found["files"] > 100  # a page each
    assert 0 < found["track_page_bytes"] < TRACK_PAGE_BYTES
    if find_browser():
        assert 0 < found["first_view_ms"] <= found["ready_ms"]
