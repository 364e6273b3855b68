"""The device to compute on: named right, and there."""

from __future__ import annotations

import argparse
import os
import re

from toolkit.core.errors import EnvironmentFault

NAMES = re.compile(r"cpu|mps|cuda(:\d+)?")


def device_name(text: str) -> str:
    """Read the name of a device, for argparse.

    Raises:
        ArgumentTypeError: There is no such name.
    """
    if not NAMES.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is none of cpu, cuda, cuda:0, cuda:1 ..., mps")
    return text


def pick_device(wanted: str | None) -> str:
    """Return the device to compute on; each process of a launch gets a card of its own.

    Args:
        wanted: What was asked for, or None: a graphics card when there is one.

    Raises:
        EnvironmentFault: It is not there.
    """
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    device = wanted or ("cuda" if cards else "cpu")
    number = int(device.partition(":")[2] or 0)
    if device.startswith("cuda") and number >= cards:
        found = f"{cards} CUDA graphics cards, from cuda:0" if cards else "no CUDA graphics card"
        raise EnvironmentFault(
            f"The device {device!r} was asked for, but torch finds {found}.",
            fix="Leave --device out; `nox -s doctor` shows what torch can compute on.",
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise EnvironmentFault(
            "The device 'mps' was asked for, but torch finds no graphics chip of Apple's.",
            fix="Leave --device out; `nox -s doctor` shows what torch can compute on.",
        )
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return device
