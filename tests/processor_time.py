"""What each test costs in processor time, its child processes included: a pytest plugin.

    .nox/hub/bin/python -m pytest -p tests.processor_time tests/hostile

A shared machine makes wall time useless; this counts what the tests' own process and every child
that it has waited for have used. A fixture counts for the test that asks for it first.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Generator
from typing import Any

import pytest

SHOWN = 60
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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what a process of pytest-xdist has counted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["processor_time"] = spent


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process of pytest-xdist has counted."""
    spent.update(getattr(node, "workeroutput", {}).get("processor_time", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the most expensive files and tests."""
    files: defaultdict[str, float] = defaultdict(float)
    for name, seconds in spent.items():
        files[name.partition("::")[0]] += seconds
    for title, costs in (("files", files), ("tests", spent)):
        terminalreporter.section(f"processor time: {sum(spent.values()):.0f} s, {title}")
        for name, seconds in sorted(costs.items(), key=lambda pair: -pair[1])[:SHOWN]:
            terminalreporter.write_line(f"{seconds:8.1f} s  {name}")
    terminalreporter.write_line(f"{sum(spent.values()):8.1f} s  {len(spent)} tests")
