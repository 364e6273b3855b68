"""Somebody else's implementation, to hold an own one against."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

REQUIRED = "HUB_REQUIRE_EQUALITY"  # set by `nox -s equality`, which installs them


def somebody_elses(module: str) -> Any:
    """Import a module; where it is missing, skip the test unless it is required."""
    return (
        importlib.import_module(module) if REQUIRED in os.environ else pytest.importorskip(module)
    )
