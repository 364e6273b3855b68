"""Everything is loaded once in this process; each contribution then runs in a fork of it."""

from __future__ import annotations

import os

import pytest

from tests.mutants.__main__ import run_fixture, warm_up


@pytest.fixture(scope="session")
def gate(tmp_path_factory):
    """Return a function that runs the gate, or some experiments of it, on a fixture."""
    if not hasattr(os, "fork"):
        pytest.skip("needs an operating system that can fork")
    warm_up()

    def run(fixture, *experiments, **options):
        return run_fixture(fixture, tmp_path_factory.mktemp("gate"), experiments, **options)

    return run
