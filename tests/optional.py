"""Packages that the hub does without: what its own code is held to, and what few options need."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

REQUIRED = "HUB_REQUIRE_EXTRAS"  # set by `nox -s extras`, which installs them


def optional(module: str) -> Any:
    """Import a module; where it is missing, skip the test unless it is required."""
    return (
        importlib.import_module(module) if REQUIRED in os.environ else pytest.importorskip(module)
    )
