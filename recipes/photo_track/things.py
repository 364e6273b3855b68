"""The mug, and what may stand beside it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, Final

import bpy

from . import materials

AROUND: Final = 96

# The mug's outline from the middle of its foot to the middle of its inside: radius, height, and the
# colour from there to the next point.
TEAL, CREAM, ORANGE = range(3)
OUTLINE: Final = (
    (0, 0, CREAM), (0.36, 0, CREAM), (0.40, 0.03, TEAL), (0.42, 0.30, ORANGE), (0.425, 0.42, CREAM),
    (0.427, 0.45, ORANGE), (0.43, 0.57, TEAL), (0.43, 0.90, CREAM), (0.44, 0.93, CREAM),
    (0.42, 0.95, CREAM), (0.39, 0.93, CREAM), (0.385, 0.10, CREAM), (0, 0.07, CREAM),
)  # fmt: skip
POT: Final = (
    (0, 0, 0),
    (0.25, 0, 0),
    (0.33, 0.5, 0),
    (0.29, 0.5, 0),
    (0.27, 0.42, 0),
    (0, 0.42, 0),
)

VASE: Final = (
    (0, 0, 0), (0.24, 0, 0), (0.36, 0.25, 0), (0.34, 0.45, 0), (0.15, 0.72, 0), (0.14, 0.86, 0),
    (0.2, 0.98, 0), (0.17, 0.98, 0), (0.11, 0.85, 0), (0, 0.8, 0),
)  # fmt: skip


def smooth(thing: Any, material: Any) -> Any:
    """Round the shading of a thing and give it its surface."""
    for polygon in thing.data.polygons:
        polygon.use_smooth = True
    thing.data.materials.append(material)
    return thing


def turned(outline: tuple[tuple[float, float, int], ...], surfaces: list[Any]) -> Any:
    """Turn an outline of (radius, height, surface) about the upright axis, as a potter does."""
    points, faces, chosen = [], [], []
    for step in range(AROUND):
        angle = 2 * math.pi * step / AROUND
        points += [(r * math.cos(angle), r * math.sin(angle), z) for r, z, _ in outline]
        here, next_one = step * len(outline), (step + 1) % AROUND * len(outline)
        for row, (_, _, surface) in enumerate(outline[:-1]):
            faces.append((here + row, next_one + row, next_one + row + 1, here + row + 1))
            chosen.append(surface)
    mesh = bpy.data.meshes.new("turned")
    mesh.from_pydata(points, [], faces)
    for surface in surfaces:
        mesh.materials.append(surface)
    for polygon, surface in zip(mesh.polygons, chosen, strict=True):
        polygon.material_index, polygon.use_smooth = surface, True
    thing = bpy.data.objects.new("turned", mesh)
    bpy.context.collection.objects.link(thing)
    return thing


def mug(
    turn: float,
    body_colour: materials.Colour = (0.01, 0.23, 0.25),
    rim_colour: materials.Colour = (0.82, 0.74, 0.58),
    belt_colour: materials.Colour = (0.85, 0.18, 0.02),
) -> Any:
    """Make a mug; without other colours the subject: teal, a cream rim, orange handle and belt.

    Args:
        turn: About its axis, in radians; 0 has the handle on the right.
        body_colour: Of most of the outside.
        rim_colour: Of rim, inside and foot.
        belt_colour: Of handle and belt.
    """
    teal, cream = materials.plain(body_colour, 0.18, 0.6), materials.plain(rim_colour, 0.25, 0.4)
    orange = materials.plain(belt_colour, 0.2, 0.5)
    body = turned(OUTLINE, [teal, cream, orange])
    bpy.ops.mesh.primitive_torus_add(
        major_radius=0.24, minor_radius=0.055, major_segments=64, minor_segments=24,
        location=(0.47, 0, 0.48), rotation=(math.pi / 2, 0, 0),
    )  # fmt: skip
    handle = smooth(bpy.context.object, orange)
    handle.scale = (0.95, 1.15, 1)
    handle.parent = body
    body.rotation_euler = (0, 0, turn)
    return body


def vase(turn: float) -> Any:
    """Make a slim blue vase without a handle."""
    del turn
    glaze = materials.plain((0.03, 0.08, 0.3), 0.15, 0.6)
    return turned(VASE, [glaze])


WHITE, GREEN, RED = (0.85, 0.85, 0.83), (0.05, 0.3, 0.06), (0.5, 0.02, 0.03)
DARK, YELLOW = (0.03, 0.05, 0.15), (0.8, 0.55, 0.05)
# What can stand on the table, by its words: the subject, and what it may be mistaken for.
THINGS: Final[dict[str, Callable[[float], Any]]] = {
    "sks mug": mug,
    "white mug": lambda turn: mug(turn, WHITE, WHITE, WHITE),
    "green mug": lambda turn: mug(turn, GREEN, YELLOW, GREEN),
    "red mug": lambda turn: mug(turn, RED, DARK, DARK),
    "vase": vase,
}


def book(side: int, rng: random.Random) -> None:
    """Lay a book on the table, left (-1) or right (1) of the mug."""
    bpy.ops.mesh.primitive_cube_add(
        size=1, location=(side * 0.95, 0.45, 0.07), rotation=(0, 0, rng.uniform(-0.6, 0.6))
    )
    bpy.context.object.scale = (0.8, 1.1, 0.14)
    colour = rng.choice([(0.4, 0.02, 0.03), (0.03, 0.1, 0.3), (0.3, 0.25, 0.05)])
    bpy.context.object.data.materials.append(materials.plain(colour, 0.5))


def apple(side: int, rng: random.Random) -> None:
    """Put an apple beside the mug."""
    del rng
    skin = materials.speckled((0.55, 0.02, 0.02), (0.45, 0.25, 0.03), 0.25, 2.5)
    bpy.ops.mesh.primitive_uv_sphere_add(
        radius=0.28, location=(side * 0.85, 0.2, 0.26), segments=48, ring_count=24
    )
    smooth(bpy.context.object, skin).scale = (1, 1, 0.92)


def plant(side: int, rng: random.Random) -> None:
    """Put a plant in a pot behind the mug's side."""
    middle = (side * 1.0, 0.6)
    turned(POT, [materials.plain((0.45, 0.17, 0.09), 0.8)]).location = (*middle, 0)
    green = materials.plain((0.02, 0.16, 0.03), 0.5)
    for _ in range(26):
        x, y = (centre + rng.gauss(0, 0.15) for centre in middle)
        bpy.ops.mesh.primitive_uv_sphere_add(
            radius=0.16, segments=12, ring_count=8, location=(x, y, 0.65 + 0.45 * rng.random()),
            rotation=[3 * rng.random() for _ in range(3)],
        )  # fmt: skip
        smooth(bpy.context.object, green).scale = (1, 0.45, 0.18)


NEIGHBOURS: Final = {"book": book, "apple": apple, "plant": plant}
