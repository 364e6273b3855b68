"""The sums behind docs/scale.md, on figures that can be reckoned in one's head."""

from benchmarks import page, scaling

COSTS = {
    "runs": 4,
    "gates": 4,
    "gate_cpu_s": 3.6,
    "gate_cpu_least_s": 1.0,
    "gate_cpu_most_s": 9.0,
    "gate_processor": "a processor",
    "training_cpu_s": 36.0,
    "scoring_cpu_s": 7.2,
    "peak_memory_mib": 1024.0,
    "run_folder_kib": 1024.0,
    "row_kib": 16.0,
    "sheet_kib": 48.0,
    "processor": "a processor",
}


def per_one(**milliseconds):
    each = {name.replace("_", " "): ms for name, ms in milliseconds.items()}
    return {
        name: {"cpu_ms_per_one": {"10": ms, "1000": ms}, "growth": 1.0} for name, ms in each.items()
    } | {"largest": 1000}


def test_the_paper_plan_multiplies_what_was_measured():
    names = {"check --all": 0, "plan": 0, "collect rows, ranked": 36.0, "tie groups alone": 36.0,
             "build site": 7.2}  # fmt: skip
    text = page.paper_plan(COSTS, per_one(**names), usd=0.1, cores=1000)
    assert "| gate, once per contribution (4 s on average, 1 to 9) | 10 |" in text
    # 50,000 runs of six trainings of 36 s, two paces, five scorings of 7.2 s.
    assert "| training, all seeds and one again (216 s per run) | 3,000 |" in text
    assert "| the reference's pace, twice (72 s per run) | 1,000 |" in text
    assert "| scoring (36 s per run) | 500 |" in text
    assert "| **all runs** | **4,510** |" in text
    assert "Money: 451 USD" in text
    assert "On 1,000 cores: 4.5 hours" in text
    # 7.2 ms for each of 50,000; and all pairs of ten times as many take a hundred times as long.
    assert "build the site, on one core | 0.10 |" in text
    assert "| tie groups, all pairs, on one core | 5.00 |" in text
    assert "3.1 GiB of rows and sheets" in text


def test_growth_is_the_cost_of_one_among_the_most_against_the_least():
    sizes = {
        10: {"flat": 0.02, "steep": 0.02, "peak_mib": 100.4},
        100: {"flat": 0.2, "steep": 0.2, "peak_mib": 100.6},
        1000: {"flat": 2.0, "steep": 20.0, "peak_mib": 101.0},
    }
    lines, faults = scaling.table(sizes)
    assert lines["flat"]["growth"] == 1.0
    assert lines["steep"]["growth"] == 10.0
    assert lines["peak_mib"] == {10: 100, 100: 101, 1000: 101}
    assert faults == ["steep: one costs 10.0 times more among 1000"]
