"""Bfloat16 where the machine computes in it, float32 where it would only imitate it.

A processor without instructions for bfloat16 took ten times as long for a step of the embedded
base's U-Net in it as in float32.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import torch

NATIVE: Final = ("avx512_bf16", "amx_bf16")  # names in `torch.cpu.get_capabilities()`


@cache
def computes_bfloat16(device_type: str) -> bool:
    """Tell whether bfloat16 can save time on this machine's ``cpu``, ``cuda`` or ``mps``."""
    if device_type != "cpu":
        return True
    capabilities = torch.cpu.get_capabilities()
    # ARM's names differ, so we cannot tell there, and do not warn.
    return capabilities["architecture"] != "x86_64" or any(capabilities[name] for name in NATIVE)


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return what matrices are multiplied in on `device`."""
    return torch.bfloat16 if computes_bfloat16(device.type) else torch.float32


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return a context that computes in bfloat16 where that saves time, else as it is."""
    enabled = computes_bfloat16(device.type)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
