"""Fixtures: a seeded VAE and text encoder in a few kilobytes, folders with pictures."""

from __future__ import annotations

import pytest
import torch

from tests.src.support import build_pipeline


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pipeline():
    return build_pipeline()
