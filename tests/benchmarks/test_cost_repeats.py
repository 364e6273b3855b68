"""How repeats of one cost are summed up and shown."""

import time

import psutil

from benchmarks.cost_repeats import BURN, WITHIN, beside, summary
from benchmarks.page import page


def test_ratios_near_one_are_counted_on_both_sides():
    found = summary([1.0, 1.04, 0.98, 0.90, 1.02])
    assert found == {
        "ratios": [0.9, 0.98, 1.0, 1.02, 1.04], "median": 1.0, "within": 3, "repeats": 5,
    }  # fmt: skip


def test_what_burns_beside_it_ends_with_it():
    def burning():
        children = psutil.Process().children(recursive=True)
        return [one for one in children if BURN in one.cmdline()]

    with beside(1):
        deadline = time.monotonic() + 300
        while not burning() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(burning()) == 1
    assert not burning()


def test_the_table_has_a_line_for_each_case():
    machine = {"processor": "A processor", "cores": 2, "packages": {"torch": "2.13.0"}}
    cases = {"0": summary([1.0, 1.01]), "2": summary([0.9, 1.2])}
    text = page("cost_repeats", {"cost_repeats": {
        "within": WITHIN, "cases": cases, "machine": machine,
    }})  # fmt: skip
    assert "| 0 | 2 of 2 | 1.005 | 1.000 | 1.010 |" in text
    assert "| 2 | 0 of 2 | 1.050 | 0.900 | 1.200 |" in text
    assert "A processor" in text
