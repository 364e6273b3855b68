"""Choose the strongest isolation layer that a trial on this machine shows to hold."""

from __future__ import annotations

import os
import shutil
import sys

from harness.sandbox import bubblewrap, landlock, seccomp
from harness.sandbox.layers import LAYERS, REQUIRED, WANTED, LayerName
from harness.sandbox.trial import remembered
from toolkit.core.errors import EnvironmentFault


def choose(wanted: str | None = None) -> LayerName:
    """Return the layer to use: the one asked for, or the strongest that works here.

    Raises:
        EnvironmentFault: The one asked for does not work here, or the best is weaker than
            ``HUB_REQUIRE_ISOLATION`` demands.
    """
    asked = wanted or os.environ.get(WANTED) or "auto"
    if asked == "auto":
        layer: LayerName = next(name for name in LAYERS if why_not(name) is None)
    else:
        layer = known_layer(asked)
        reason = why_not(layer)
        if reason is not None:
            raise EnvironmentFault(
                f"The isolation layer {layer!r} does not work here: {reason}",
                fix="Leave --isolation out to use the strongest that works; docs/isolation.md "
                "says what each one needs.",
            )
    floor = os.environ.get(REQUIRED)
    if floor and LAYERS.index(layer) > LAYERS.index(known_layer(floor)):
        reasons = "; ".join(f"{name}: {why_not(name)}" for name in LAYERS if why_not(name))
        raise EnvironmentFault(
            f"{REQUIRED}={floor}, but the layer would be {layer!r} ({reasons or 'asked for'}).",
            fix="On Debian and Ubuntu: apt-get install bubblewrap; docs/isolation.md for the rest.",
        )
    return layer


def known_layer(name: str) -> LayerName:
    """Return a layer by its name.

    Raises:
        EnvironmentFault: There is no such layer.
    """
    for layer in LAYERS:
        if layer == name:
            return layer
    raise EnvironmentFault(
        f"There is no isolation layer {name!r}.", fix=f"Choose one of: auto, {', '.join(LAYERS)}."
    )


def why_not(layer: LayerName) -> str | None:
    """Say why a layer cannot be used here, or None if a trial has shown that it holds."""
    if layer == "process":
        return None
    if sys.platform != "linux":
        return "it needs Linux"
    if not seccomp.supported():
        return "the filter does not know this processor"
    if layer == "landlock" and landlock.version() == 0:
        return "this kernel has no Landlock"
    tool = {"bubblewrap": bubblewrap.PROGRAM, "namespaces": "unshare"}.get(layer)
    if tool and shutil.which(tool) is None:
        return f"the program {tool!r} is not installed"
    return remembered(layer)
