"""Two commits side by side: ratios are of the same round."""

from benchmarks.verdict import Cost, summary


def test_ratios_are_of_the_same_round():
    before = [{"first": Cost(100, 50, 900)}, {"first": Cost(200, 50, 900)}]
    now = [{"first": Cost(50, 40, 900)}, {"first": Cost(150, 30, 1800)}]
    wall, cpu, memory = (summary(before, now)["first"][name] for name in Cost.__annotations__)
    assert wall == {"before": 150, "now": 100, "ratio": [0.62, 0.5, 0.75]}
    assert cpu["ratio"] == [0.7, 0.6, 0.8]
    assert memory["ratio"] == [1.5, 1, 2]
