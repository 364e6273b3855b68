"""One photograph: paper, a thing, light, camera, rendered by Cycles."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any, Final

import bpy

from recipes.tiny_sd.vocabulary import BACKGROUNDS

from .materials import paper
from .plan import Photograph
from .things import THINGS

SIDE_PX: Final = 192
SAMPLES: Final = 24
SKIES: Final = ((0.9, 0.95, 1.0), (1.0, 0.97, 0.92), (0.95, 0.95, 0.95))
LAMPS: Final = ((1, 0.9, 0.78), (1, 1, 1), (0.9, 0.95, 1))
# The paper bends up behind the thing, as a photographer's: no corner is seen.
FLOOR_END, BEND, WALL_TOP, HALF_WIDTH = 1.2, 1.5, 8.0, 9.0
BEND_STEPS: Final = 24


def render(picture: Photograph, file: Path) -> None:
    """Build the scene and write it as JPEG of 192 x 192 pixels."""
    rng = random.Random(picture.seed)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    thing = THINGS[picture.thing](picture.turn)
    lay_paper(picture.colour)
    add_light(thing, rng)
    add_camera(thing, picture, rng)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.seed = SAMPLES, True, 0
    # Blender's default would take the colour out of bright surfaces; paper is to have its name's.
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = SIDE_PX
    scene.render.filepath = str(file)
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 90
    bpy.ops.render.render(write_still=True)


def lay_paper(colour: str) -> None:
    """Lay a sheet under the thing that bends up behind it."""
    angles = [math.pi / 2 * step / BEND_STEPS for step in range(BEND_STEPS + 1)]
    profile = [(-8.0, 0.0)]  # depth, height
    profile += [(FLOOR_END + BEND * math.sin(a), BEND * (1 - math.cos(a))) for a in angles]
    profile.append((FLOOR_END + BEND, WALL_TOP))
    points = [(x, y, z) for y, z in profile for x in (-HALF_WIDTH, HALF_WIDTH)]
    faces = [(2 * n, 2 * n + 1, 2 * n + 3, 2 * n + 2) for n in range(len(profile) - 1)]
    mesh = bpy.data.meshes.new("paper")
    mesh.from_pydata(points, [], faces)
    mesh.materials.append(paper(BACKGROUNDS[colour]))
    for polygon in mesh.polygons:
        polygon.use_smooth = True
    bpy.context.collection.objects.link(bpy.data.objects.new("paper", mesh))


def look_at(thing: Any, target: Any) -> None:
    """Turn a lamp or camera towards something."""
    gaze = thing.constraints.new("TRACK_TO")
    gaze.target, gaze.track_axis, gaze.up_axis = target, "TRACK_NEGATIVE_Z", "UP_Y"


def add_light(thing: Any, rng: random.Random) -> None:
    """Light the scene by a sky and one lamp, each of another colour and strength."""
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("sky")
    scene.world.use_nodes = True
    sky = scene.world.node_tree.nodes["Background"].inputs
    sky[0].default_value, sky[1].default_value = (*rng.choice(SKIES), 1), rng.uniform(0.55, 0.75)
    place = (rng.uniform(-2.5, 2.5), rng.uniform(-3, -1.5), rng.uniform(2.5, 4))
    bpy.ops.object.light_add(type="AREA", location=place)
    lamp = bpy.context.object
    lamp.data.energy, lamp.data.size = rng.uniform(70, 130), rng.uniform(0.6, 2.0)
    lamp.data.color = rng.choice(LAMPS)
    look_at(lamp, thing)


def add_camera(thing: Any, picture: Photograph, rng: random.Random) -> None:
    """Put the camera where the plan says; it looks at the middle of the thing."""
    level = picture.distance * math.cos(picture.elevation)
    place = (
        level * math.sin(picture.azimuth),
        -level * math.cos(picture.azimuth),
        picture.distance * math.sin(picture.elevation) + 0.45,
    )
    bpy.ops.object.camera_add(location=place)
    camera = bpy.context.object
    bpy.context.scene.camera = camera
    # A little to the right, where the handle is.
    bpy.ops.object.empty_add(location=(0.1 + rng.uniform(-0.04, 0.04), 0, 0.45))
    look_at(camera, bpy.context.object)
    camera.data.lens = 52
    camera.data.dof.use_dof, camera.data.dof.focus_object = True, thing
    camera.data.dof.aperture_fstop = rng.uniform(4, 11)
