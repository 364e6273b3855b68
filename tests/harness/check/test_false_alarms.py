"""Unusual but right code, about which the check keeps quiet."""

from __future__ import annotations

import pytest

from harness import paths

TRAIN = """
@MARK
def train(pipeline, dataset, adapter, config, reporter):
    return TrainResult(losses=[0.1])
"""


def write(folder, name, text):
    path = folder / "src" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("header", "mark"),
    [
        ("from harness import TrainResult, hookimpl as impl", "impl"),
        ("import harness\nfrom harness import TrainResult", "harness.hookimpl"),
        ("import harness as hub\nTrainResult = hub.TrainResult", "hub.hookimpl"),
        ("from harness import TrainResult, hookimpl", "hookimpl()"),
        ("from harness import TrainResult, hookimpl\nhook = hookimpl", "hook"),
        ("from harness import TrainResult\nfrom .common import hookimpl", "hookimpl"),
        ("from harness import TrainResult\nfrom .common import mark", "mark"),
        ("from harness import TrainResult\nfrom . import common", "common.hookimpl"),
        ("from harness import hookimpl\nfrom harness.records import TrainResult", "hookimpl"),
    ],
)
def test_all_ways_to_name_the_marker(folder, look, header, mark):
    write(folder, "common.py", "from harness import hookimpl\n\nmark = hookimpl\n")
    write(folder, "train.py", header + "\n" + TRAIN.replace("MARK", mark))
    assert look(folder) == []


@pytest.mark.parametrize(
    "main",
    [
        "from .lora import *\nfrom .train import *\n",
        "from .lora import make_lora\nfrom .train import train as train\n",
        "from .hooks import make_lora, train\n",
        "from .hooks import *\n",
        "from .lora import make_lora\nfrom . import train as loop\n\ntrain = hookimpl(plain)\n",
        "if True:\n    from .lora import make_lora\nelse:\n    from .other import make_lora\n"
        "from .train import train\n",
        "try:\n    from .fast import make_lora\nexcept ImportError:\n"
        "    from .lora import make_lora\nfrom .train import train\n",
    ],
)
def test_all_ways_to_show_a_hook_in_main(folder, look, main):
    write(folder, "hooks/__init__.py", "from ..lora import make_lora\nfrom .loop import train\n")
    write(folder, "hooks/loop.py", "from ..train import train\n")
    write(folder, "other.py", (folder / "src/lora.py").read_text())
    if "hookimpl(" in main:
        write(folder, "plain.py", TRAIN.replace("@MARK\n", "").replace("def train", "def plain"))
        plain = (folder / "src/plain.py").read_text()
        write(folder, "plain.py", "from harness import TrainResult\n" + plain)
        main = "from harness import hookimpl\nfrom .plain import plain\n" + main
    write(folder, "main.py", main)
    assert look(folder) == []


def test_hooks_written_in_main_itself_and_a_helper_without_the_harness(folder, look):
    for name in ("lora.py", "train.py"):
        (folder / "src" / name).unlink()
    write(folder, "helpers.py", "import math\n\n\ndef half(x):\n    return math.sqrt(x) / 2\n")
    write(
        folder,
        "main.py",
        "from harness import TrainResult, hookimpl\n\nfrom .helpers import half\n\n\n"
        "@hookimpl\ndef make_lora(pipeline):\n    return half(pipeline)\n\n"
        + TRAIN.replace("MARK", "hookimpl"),
    )
    assert look(folder) == []


ORDINARY = r'''
"""Read /home/me/x or C:\\Users\\me; see Dataset\\Images."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections import namedtuple
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from . import lora
from .lora import Adapter as _Adapter

try:
    import xformers
except ImportError:
    xformers = None

with suppress(ImportError):
    import wandb

if TYPE_CHECKING:
    from jaxtyping import Float

    from harness.hookspecs import Reporter
    from harness.records import Settings

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", message="a/b")
T = TypeVar("T")
Pair = namedtuple("Pair", "a b")
HERE = Path(__file__).resolve().parent
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
WORD = re.compile(r"C:\\temp\w+|/home/\d+/x")
NAMES = {name: len(name) for name in ("a/b", "c")}
SLASH, ROOT_ROUTE, URL = "/", "/api/", "https://example.org/home/x.png"
TABS, LATEX, NEWLINES = "name\tage\tcity", r"\alpha\beta", "one\ntwo\nthree"
PATTERN, ANY_DIGIT = r"\d+\.\d+", r".\d"
REPLACEMENT = "blocks.\1.linear"
MIME, RATIO, DATE, ETA = "image/png", "3/4", "01/02/2026", "12:30 / 13:40"
TARGETS = ("to_q", "to_out.0", "unet/down_blocks")
for _name in ("x", "y"):
    NAMES[_name] = 1
assert NAMES


@dataclass
class Options:
    rank: int = 4
    names: list[str] = field(default_factory=list)

    def train(self) -> None:
        """A method may be called anything."""


OPTIONS = Options(rank=8)
half = partial(F.interpolate, scale_factor=0.5)


@lru_cache(maxsize=None)
@torch.no_grad()
def read(path: Path) -> np.ndarray:
    def generate():
        return 1

    model = torch.nn.Linear(1, 1)
    model.eval()
    state = torch.load(path, weights_only=True)
    log.info("loading %s / %s", path, state)
    np.save(path, np.zeros(1), allow_pickle=False)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")), generate, os.path.join("a", "b"), lora, xformers


def compile(model):
    return model


READ = lambda path: open(path)
compile(None) if False else None

if __name__ == "__main__":
    torch.manual_seed(0)
    for _ in range(3):
        print(read(HERE))
'''


def test_ordinary_code_is_fine(folder, look):
    write(folder, "ordinary.py", ORDINARY)
    assert look(folder) == []


def test_the_guard_against_running_the_file_directly(folder, look):
    main = (folder / "src/main.py").read_text()
    guard = (
        'if not __package__:\n    raise SystemExit("Run: python -m CONTRIBUTIONS.Clean.src.main")\n'
    )
    write(folder, "main.py", main.replace("\nfrom .lora", f"\n{guard}\nfrom .lora", 1))
    assert look(folder) == []


def test_a_helper_may_share_a_hooks_name_when_the_real_one_is_marked(folder, look):
    write(folder, "plain.py", "def train():\n    return 1\n")
    assert look(folder) == []


def test_a_sibling_named_like_a_library_does_not_shadow_it(folder, look):
    write(folder, "random.py", "SEED = 1\n")
    write(folder, "dice.py", "import random\n\n\ndef roll():\n    return random.random()\n")
    assert look(folder) == []


def test_declared_extras_may_be_imported(folder, look):
    toml = folder / "contribution.toml"
    toml.write_text(toml.read_text() + 'dependencies = ["lycoris-lora==4.1.3"]\n')
    write(folder, "locon.py", "from lycoris import create_lycoris\n\nMAKE = create_lycoris\n")
    assert look(folder) == []


def test_unreadable_toml_does_not_make_every_extra_a_fault(folder, look):
    (folder / "contribution.toml").write_text("name = \n")
    write(folder, "locon.py", "from lycoris import create_lycoris\n\nMAKE = create_lycoris\n")
    assert {finding.rule for finding in look(folder)} == {"HUB101"}


def test_records_for_running_alone_may_be_imported(folder, look):
    write(folder, "alone.py", "from harness.records import LoraConfig, TrainConfig\n\nLoraConfig\n")
    assert look(folder) == []


def test_hook_with_fewer_parameters_and_an_early_exit(folder, look):
    text = (folder / "src/lora.py").read_text()
    body = 'def make_lora(config):\n    """Doc."""\n    if config:\n        raise ValueError\n'
    head = text.split("def make_lora")[0]
    write(folder, "lora.py", f"{head}{body}    return Adapter()\n")
    assert look(folder) == []


def test_the_libraries_of_the_hub_are_free_for_everybody(folder, look):
    for library in paths.LIBRARIES:
        write(
            folder,
            f"uses_{library}.py",
            f"from toolkit import {library}\nfrom toolkit.{library}.x import y\n",
        )
    assert look(folder) == []
