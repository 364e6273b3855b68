"""A toy run of the whole recipe on a few icons, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recipes.tiny_sd.settings import Recipe
from recipes.tiny_sd.stages import STAGES, Context

FIXTURES = Path(__file__).with_name("fixtures")


def toy_context(run: Path) -> Context:
    return Context(
        recipe=Recipe.toy(),
        run=run,
        packages=FIXTURES,
        model=run / "model",
        reference=run / "reference",
        table=FIXTURES / "packages.toml",
    )


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Run all stages but the evaluation."""
    context = toy_context(tmp_path_factory.mktemp("toy"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, stage in STAGES.items():
        if name != "evaluate":
            stage(context)
    torch.set_num_threads(threads)
    return context
