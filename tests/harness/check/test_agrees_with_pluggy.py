"""What the scan finds without importing is what pluggy registers after importing."""

from __future__ import annotations

import importlib
import inspect
import sys

import pluggy
import pytest

import harness
from harness import hookspecs
from harness.check.folder import Folder
from harness.check.hooks import parameters_of
from toolkit.core.settings import HOOK_NAMES

STEPS = """
from harness import hookimpl
import harness as hub


@hookimpl
def train(config):
    return config


@hub.hookimpl
def make_lora(pipeline, config):
    return pipeline


def generate(prompts):
    return prompts


@hookimpl
def _secret(config):
    return config


class Holder:
    @hookimpl
    def make_dataset(self, data_dir):
        return data_dir
"""

MAINS = [
    "from .steps import make_lora, train\n",
    "from .steps import *\n",
    "from . import steps\n",
    "from .steps import train\nmake_lora = train\n",
    "from . import steps\nfrom .steps import generate\n",
    "from harness import hookimpl as m\nfrom .steps import generate\ngenerate = m(generate)\n",
    "from harness import hookimpl\nfrom .steps import generate as g\ngenerate = hookimpl(g)\n",
    "from harness import hookimpl\n\n\ndef train():\n    return 1\n\n\ntrain = hookimpl(train)\n",
    "from .steps import Holder, train\n",
    "if __name__ == '__main__':\n    from .steps import train\n",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .steps import train\n",
    "try:\n    from .missing import train\nexcept ImportError:\n    from .steps import train\n",
    "from .steps import train\n\n\ndef show():\n    from .steps import make_lora\n",
]


@pytest.mark.parametrize("number", range(len(MAINS)))
def test_scan_and_pluggy_find_the_same_hooks(number, tmp_path, monkeypatch):
    folder = tmp_path / f"Agree{number}"
    (folder / "src").mkdir(parents=True)
    (folder / "contribution.toml").write_text("hooks = []\n")
    (folder / "src" / "steps.py").write_text(STEPS)
    (folder / "src" / "main.py").write_text(MAINS[number])
    monkeypatch.syspath_prepend(tmp_path)
    main = importlib.import_module(f"Agree{number}.src.main")
    manager = pluggy.PluginManager(harness.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(main)
        registered = {caller.name for caller in manager.get_hookcallers(main) or ()}
    finally:
        for name in [name for name in sys.modules if name.startswith(f"Agree{number}")]:
            del sys.modules[name]
    assert set(Folder(folder, tmp_path).hooks.found) == registered & set(HOOK_NAMES)


@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_parameters_are_those_of_the_contract(hook):
    assert parameters_of(hook) == tuple(inspect.signature(getattr(hookspecs, hook)).parameters)
