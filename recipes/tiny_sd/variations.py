"""Other colours, outlines and turns of one drawing: more pictures from the same icons."""

from __future__ import annotations

import math
import random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageFilter

from .backdrops import Colour, random_colour

Pixels = npt.NDArray[np.uint8]


def recolour(icon: Pixels, ink: Colour) -> Pixels:
    """Give a one-colour icon another colour, (S, S, 4) -> (S, S, 4)."""
    coloured = np.empty_like(icon)
    coloured[..., :3] = ink
    coloured[..., 3] = icon[..., 3]
    return coloured


def turn_hue(icon: Pixels, angle: float) -> Pixels:
    """Turn all colours around the grey axis by `angle` radians, (S, S, 4) -> (S, S, 4)."""
    cosine, sine = math.cos(angle), math.sin(angle) / math.sqrt(3)
    grey = (1 - cosine) / 3
    matrix = np.full((3, 3), grey, np.float32)
    matrix += cosine * np.eye(3, dtype=np.float32)
    matrix += sine * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32)
    turned = icon.copy()
    turned[..., :3] = (icon[..., :3].astype(np.float32) @ matrix.T).clip(0, 255)
    return turned


def tint(icon: Pixels, ink: Colour) -> Pixels:
    """Draw an icon in shades of one colour, (S, S, 4) -> (S, S, 4).

    A drawing's darkest parts become a dark shade of `ink`, its lightest parts a light one, so
    that its parts stay visible.
    """
    visible = icon[..., 3] > 127
    light = icon[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    middle = float(np.median(light[visible])) if visible.any() else 127.0
    contrast = ((light - middle) / 255.0 * 0.9).clip(-0.6, 0.5)[..., None]  # (S, S, 1)
    colour = np.array(ink, np.float32)
    shaded = colour * (1 + contrast.clip(max=0)) + (255 - colour) * contrast.clip(min=0)
    tinted = icon.copy()
    tinted[..., :3] = shaded.clip(0, 255)
    return tinted


def outline(icon: Pixels, ink: Colour, width_px: int) -> Pixels:
    """Put a line of `width_px` around an icon, (S, S, 4) -> (S, S, 4)."""
    drawing = Image.fromarray(np.ascontiguousarray(icon), "RGBA")
    drawing = drawing.resize(
        (icon.shape[1] - 2 * width_px, icon.shape[0] - 2 * width_px), Image.Resampling.BILINEAR
    )
    inner = Image.new("RGBA", (icon.shape[1], icon.shape[0]))
    inner.paste(drawing, (width_px, width_px))
    alpha = inner.getchannel("A")
    wide = alpha.filter(ImageFilter.MaxFilter(2 * width_px + 1))
    outer = Image.new("RGBA", inner.size, (*ink, 0))
    outer.putalpha(ImageChops.lighter(wide, alpha))
    return np.asarray(Image.alpha_composite(outer, inner))


def vary(icon: Pixels, rng: random.Random) -> Pixels:
    """Change an icon's colours, turn it, mirror it, outline it; half of them keep their colours.

    Args:
        icon: (S, S, 4) RGBA.
        rng: Source of the draw.

    Returns:
        (S, S, 4) RGBA.
    """
    if rng.random() < 0.5:
        icon = icon[:, ::-1]
    draw = rng.random()
    if draw < 0.3:
        icon = turn_hue(icon, rng.uniform(0, 2 * math.pi))
    elif draw < 0.4:
        icon = tint(icon, random_colour(rng))
    if rng.random() < 0.15:
        ink = rng.choice(((20, 20, 20), (255, 255, 255), random_colour(rng)))
        icon = outline(icon, ink, rng.randint(1, 4))
    if rng.random() < 0.15:
        turned = Image.fromarray(np.ascontiguousarray(icon), "RGBA")
        icon = np.asarray(turned.rotate(rng.uniform(-45, 45), Image.Resampling.BILINEAR))
    return icon
