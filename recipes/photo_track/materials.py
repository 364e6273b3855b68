"""Surfaces as Blender's shader nodes: glaze and paper."""

from __future__ import annotations

from typing import Any

import bpy

Colour = tuple[float, float, float]  # linear RGB, 0 to 1


def plain(colour: Colour, roughness: float, coat: float = 0.0) -> Any:
    """Return one colour, from glossy (0) to dull (1), with a clear coat on top or none."""
    material = bpy.data.materials.new("plain")
    material.use_nodes = True
    surface = material.node_tree.nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*colour, 1)
    surface.inputs["Roughness"].default_value = roughness
    surface.inputs["Coat Weight"].default_value = coat
    return material


def glaze(colour: Colour) -> Any:
    """Return glossy pottery."""
    return plain(colour, 0.2, 0.5)


def paper(colour: tuple[int, int, int]) -> Any:
    """Return dull paper of an sRGB colour, 0 to 255."""
    red, green, blue = (linear(level / 255) for level in colour)
    return plain((red, green, blue), 0.9)


def linear(level: float) -> float:
    """Turn an sRGB level, 0 to 1, into linear light (IEC 61966-2-1)."""
    return float(level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4)
