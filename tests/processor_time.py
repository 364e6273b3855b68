"""What each test costs in processor time, its child processes included: a pytest plugin.

    .nox/hub/bin/python -m pytest -p tests.processor_time tests/hostile

A shared machine makes wall time useless; this counts what the tests' own process and every child
that it has waited for have used. A fixture counts for the test that asks for it first.
"""

from __future__ import annotations

import resource
from collections.abc import Generator

import pytest

SHOWN = 40
spent: dict[str, float] = {}


def used() -> float:
    """Return the processor seconds used so far by this process and its children."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Count a test with its set-up and tear-down."""
    before = used()
    try:
        return (yield)
    finally:
        spent[item.nodeid] = used() - before


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the most expensive tests."""
    terminalreporter.section("processor time")
    for name, seconds in sorted(spent.items(), key=lambda pair: -pair[1])[:SHOWN]:
        terminalreporter.write_line(f"{seconds:8.1f} s  {name}")
    terminalreporter.write_line(f"{sum(spent.values()):8.1f} s  {len(spent)} tests")
