"""One photograph: table, mug, light, camera, rendered by Cycles."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any, Final

import bpy

from . import materials, things
from .plan import GROUNDS, Photograph

SIDE_PX: Final = 256
SAMPLES: Final = 64
WALLS: Final = ((0.7, 0.68, 0.62), (0.35, 0.45, 0.5), (0.6, 0.4, 0.35), (0.25, 0.3, 0.22))
SKIES: Final = ((0.55, 0.65, 0.8), (0.8, 0.75, 0.68), (0.5, 0.5, 0.55))
LAMPS: Final = ((1, 0.86, 0.7), (1, 1, 1), (0.85, 0.92, 1))


def render(picture: Photograph, file: Path) -> None:
    """Build the scene and write it as JPEG of 256 x 256 pixels."""
    rng = random.Random(picture.seed)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    mug = things.THINGS[picture.thing](picture.turn)
    side = rng.choice((-1, 1))
    bpy.ops.mesh.primitive_plane_add(size=14)
    bpy.context.object.data.materials.append(materials.GROUNDS[GROUNDS[picture.ground]]())
    if picture.neighbour:
        things.NEIGHBOURS[picture.neighbour](side, rng)
    if picture.ground != "on grass":
        bpy.ops.mesh.primitive_plane_add(
            size=30, location=(0, rng.uniform(1.6, 3.0), 0), rotation=(math.pi / 2, 0, 0)
        )
        bpy.context.object.data.materials.append(materials.plain(rng.choice(WALLS), 0.9))
    add_light(mug, rng)
    add_camera(mug, picture, 0.12 * side if picture.neighbour else 0.0, rng)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.seed = SAMPLES, True, 0
    scene.render.resolution_x = scene.render.resolution_y = SIDE_PX
    scene.render.filepath = str(file)
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 92
    bpy.ops.render.render(write_still=True)


def look_at(thing: Any, target: Any) -> None:
    """Turn a lamp or camera towards something."""
    gaze = thing.constraints.new("TRACK_TO")
    gaze.target, gaze.track_axis, gaze.up_axis = target, "TRACK_NEGATIVE_Z", "UP_Y"


def add_light(mug: Any, rng: random.Random) -> None:
    """Light the scene by a sky and one lamp, each of another colour and strength."""
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("sky")
    scene.world.use_nodes = True
    sky = scene.world.node_tree.nodes["Background"].inputs
    sky[0].default_value, sky[1].default_value = (*rng.choice(SKIES), 1), rng.uniform(0.35, 0.9)
    place = (rng.uniform(-3, 3), rng.uniform(-3, 0), rng.uniform(2.2, 4))
    bpy.ops.object.light_add(type="AREA", location=place)
    lamp = bpy.context.object
    lamp.data.energy, lamp.data.size = rng.uniform(120, 320), rng.uniform(0.4, 2.2)
    lamp.data.color = rng.choice(LAMPS)
    look_at(lamp, mug)


def add_camera(mug: Any, picture: Photograph, shift: float, rng: random.Random) -> None:
    """Put the camera where the plan says; it looks near the mug and is sharp on it."""
    level = picture.distance * math.cos(picture.elevation)
    place = (
        level * math.sin(picture.azimuth),
        -level * math.cos(picture.azimuth),
        picture.distance * math.sin(picture.elevation) + 0.35,
    )
    bpy.ops.object.camera_add(location=place)
    camera = bpy.context.object
    bpy.context.scene.camera = camera
    bpy.ops.object.empty_add(location=(rng.uniform(-0.15, 0.15) + shift, 0, 0.45))
    look_at(camera, bpy.context.object)
    camera.data.lens = 52
    camera.data.dof.use_dof, camera.data.dof.focus_object = True, mug
    camera.data.dof.aperture_fstop = rng.uniform(1.2, 5)
