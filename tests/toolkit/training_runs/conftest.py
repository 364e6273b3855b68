"""Fixtures: a base and pictures on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.src.conftest import _one_thread, _pristine, data_dir, pipeline  # noqa: F401
from tests.src.support import build_pipeline


@pytest.fixture(scope="session")
def base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    build_pipeline().to(torch.float16).save_pretrained(folder)
    return folder
