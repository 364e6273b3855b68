"""Measure the reference before the forks, so that none of them has to."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from harness.gate.experiments.measuring import keep
from tests.mutants.fixtures import GROUP_OF
from tests.mutants.reference import reference_context


def warm_profiles(hooks: Iterable[str]) -> None:
    """Measure these hooks of the reference, with the settings that most contributions have."""
    with reference_context() as context:
        for hook in hooks:
            module = importlib.import_module(f"harness.gate.experiments.{GROUP_OF[hook]}")
            group = GROUP_OF[hook].removeprefix("profile_")
            keep(group, context, module.measure(context, context.hooks))
