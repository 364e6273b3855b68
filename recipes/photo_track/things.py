"""The mug, and what it may be mistaken for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import bpy

from .materials import Colour, glaze

AROUND: Final = 96

# Outlines from the middle of a foot to the middle of the inside: radius, height, and the number of
# the colour from there to the next point.
Outline = tuple[tuple[float, float, int], ...]
BODY, RIM, BELT = range(3)
MUG: Final[Outline] = (
    (0, 0, RIM), (0.36, 0, RIM), (0.40, 0.03, BODY), (0.42, 0.28, BELT), (0.43, 0.60, BODY),
    (0.43, 0.88, RIM), (0.44, 0.93, RIM), (0.42, 0.95, RIM), (0.39, 0.93, RIM), (0.385, 0.10, RIM),
    (0, 0.07, RIM),
)  # fmt: skip
VASE: Final[Outline] = (
    (0, 0, 0), (0.24, 0, 0), (0.36, 0.25, 0), (0.34, 0.45, 0), (0.15, 0.72, 0), (0.14, 0.86, 0),
    (0.2, 0.98, 0), (0.17, 0.98, 0), (0.11, 0.85, 0), (0, 0.8, 0),
)  # fmt: skip
BOWL: Final[Outline] = (
    (0, 0, 0), (0.22, 0, 0), (0.22, 0.08, 0), (0.48, 0.3, 0), (0.56, 0.55, 0), (0.53, 0.55, 1),
    (0.44, 0.3, 1), (0.2, 0.13, 1), (0, 0.13, 1),
)  # fmt: skip

WHITE, CREAM, RED = (0.85, 0.85, 0.83), (0.82, 0.74, 0.58), (0.6, 0.02, 0.02)
GREEN, YELLOW, NAVY = (0.05, 0.3, 0.06), (0.85, 0.55, 0.05), (0.03, 0.05, 0.2)
SKY, PINK = (0.1, 0.4, 0.75), (0.8, 0.3, 0.35)


def turned(outline: Outline, colours: tuple[Colour, ...]) -> Any:
    """Turn an outline about the upright axis, as a potter does.

    Args:
        outline: From foot to inside.
        colours: By the outline's numbers, linear RGB.
    """
    points, faces, chosen = [], [], []
    for step in range(AROUND):
        angle = 2 * math.pi * step / AROUND
        points += [(r * math.cos(angle), r * math.sin(angle), z) for r, z, _ in outline]
        here, next_one = step * len(outline), (step + 1) % AROUND * len(outline)
        for row, (_, _, number) in enumerate(outline[:-1]):
            faces.append((here + row, next_one + row, next_one + row + 1, here + row + 1))
            chosen.append(number)
    mesh = bpy.data.meshes.new("turned")
    mesh.from_pydata(points, [], faces)
    for colour in colours:
        mesh.materials.append(glaze(colour))
    for polygon, number in zip(mesh.polygons, chosen, strict=True):
        polygon.material_index, polygon.use_smooth = number, True
    thing = bpy.data.objects.new("turned", mesh)
    bpy.context.collection.objects.link(thing)
    return thing


def mug(turn: float, body: Colour, rim: Colour, belt: Colour) -> Any:
    """Make a mug with a handle of the belt's colour.

    Args:
        turn: About its axis, in radians; 0 has the handle on the right.
        body: Colour of most of the outside.
        rim: Colour of rim, inside and foot.
        belt: Colour of belt and handle.
    """
    pot = turned(MUG, (body, rim, belt))
    bpy.ops.mesh.primitive_torus_add(
        major_radius=0.24, minor_radius=0.065, major_segments=64, minor_segments=24,
        location=(0.47, 0, 0.48), rotation=(math.pi / 2, 0, 0),
    )  # fmt: skip
    handle = bpy.context.object
    for polygon in handle.data.polygons:
        polygon.use_smooth = True
    handle.data.materials.append(glaze(belt))
    handle.scale = (0.95, 1.15, 1)
    handle.parent = pot
    pot.rotation_euler = (0, 0, turn)
    return pot


# What can stand on the paper, by its words: the subject, and what it may be mistaken for.
THINGS: Final[dict[str, Callable[[float], Any]]] = {
    "sks mug": lambda turn: mug(turn, WHITE, WHITE, RED),
    "white mug": lambda turn: mug(turn, WHITE, WHITE, WHITE),
    "green mug": lambda turn: mug(turn, GREEN, YELLOW, GREEN),
    "red mug": lambda turn: mug(turn, RED, NAVY, NAVY),
    "blue mug": lambda turn: mug(turn, SKY, WHITE, YELLOW),
    "vase": lambda _: turned(VASE, (NAVY,)),
    "bowl": lambda _: turned(BOWL, (PINK, CREAM)),
}
