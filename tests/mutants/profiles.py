"""Measure profiles of many contributions in one process: the reference once, each in a fork."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.gate.records import GateReport
from tests.mutants.__main__ import run_fixture, warm_up
from tests.mutants.fixtures import GROUP_OF, Fixture


def profiles(fixtures: Iterable[Fixture]) -> Iterator[tuple[Fixture, GateReport]]:
    """Yield each fixture with the report of the experiments that measure its hooks."""
    for fixture in fixtures:
        experiments = ("importing", *(GROUP_OF[hook] for hook in fixture.hooks), "leftovers")
        with tempfile.TemporaryDirectory() as folder:
            yield fixture, run_fixture(fixture, Path(folder), experiments)


__all__ = ["profiles", "warm_up"]
