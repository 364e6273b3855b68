"""Surfaces: glaze, wood, cloth, grass, stone, as Blender's shader nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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


def speckled(
    first: Colour,
    second: Colour,
    roughness: float,
    scale: float,
    bump: float = 0.0,
    stretch: Colour = (1, 1, 1),
) -> Any:
    """Return two colours that run into each other as noise does.

    Args:
        first: One colour.
        second: The other.
        roughness: 0 glossy, 1 dull.
        scale: How fine the noise is.
        bump: How far the noise lifts the surface.
        stretch: Draws the noise out along an axis, as the grain of wood.
    """
    material = plain(first, roughness)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    place = nodes.new("ShaderNodeTexCoord")
    mapping = nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = stretch
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = 8
    noise.inputs["Distortion"].default_value = 1.0
    ramp = nodes.new("ShaderNodeValToRGB")
    for stop, position, colour in zip(
        ramp.color_ramp.elements, (0.33, 0.67), (first, second), strict=True
    ):
        stop.position, stop.color = position, (*colour, 1)
    surface = nodes["Principled BSDF"]
    links.new(place.outputs["Object"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], noise.inputs["Vector"])
    links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], surface.inputs["Base Color"])
    if bump:
        lift = nodes.new("ShaderNodeBump")
        lift.inputs["Strength"].default_value = bump
        links.new(noise.outputs["Fac"], lift.inputs["Height"])
        links.new(lift.outputs["Normal"], surface.inputs["Normal"])
    return material


GRAIN: Final = (1, 9, 1)
GROUNDS: Final[dict[str, Callable[[], Any]]] = {
    "light_wood": lambda: speckled((0.55, 0.32, 0.15), (0.3, 0.14, 0.05), 0.45, 3, stretch=GRAIN),
    "dark_wood": lambda: speckled((0.18, 0.08, 0.04), (0.05, 0.02, 0.01), 0.4, 3, stretch=GRAIN),
    "white": lambda: plain((0.8, 0.8, 0.78), 0.5),
    "grass": lambda: speckled((0.03, 0.15, 0.01), (0.12, 0.3, 0.03), 0.9, 60, bump=1.0),
    "blue_cloth": lambda: speckled((0.03, 0.08, 0.35), (0.05, 0.12, 0.45), 0.95, 220, bump=0.6),
    "stone": lambda: speckled((0.35, 0.34, 0.33), (0.18, 0.17, 0.17), 0.7, 14, bump=0.4),
}
