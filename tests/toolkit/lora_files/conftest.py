from __future__ import annotations

import pytest
import torch

from tests.toolkit.lora_files.support import build_pipeline, copy_of, random_lora


@pytest.fixture(scope="session")
def pristine():
    return build_pipeline()


@pytest.fixture
def pipeline(pristine):
    return copy_of(pristine)


@pytest.fixture
def lora():
    return random_lora()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
