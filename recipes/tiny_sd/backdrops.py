"""What lies behind a drawing when the autoencoder learns: colours, gradients, stripes, shapes."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from .vocabulary import BACKGROUNDS

Colour = tuple[int, int, int]


def random_colour(rng: random.Random) -> Colour:
    """Draw any colour; every second one is a named background."""
    if rng.random() < 0.5:
        return rng.choice(list(BACKGROUNDS.values()))
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))


def draw_backdrop(side_px: int, rng: random.Random) -> Image.Image:
    """Draw a backdrop: half of them are the named colours that captions speak of.

    Args:
        side_px: Width and height.
        rng: Source of the draw.

    Returns:
        RGB picture.
    """
    draw = rng.random()
    if draw < 0.5:
        named = rng.choice(list(BACKGROUNDS.values()))
        return Image.new("RGB", (side_px, side_px), named)
    if draw < 0.7:
        return Image.new("RGB", (side_px, side_px), random_colour(rng))
    if draw < 0.82:
        return gradient(side_px, rng)
    if draw < 0.88:
        return stripes(side_px, rng)
    return shapes(side_px, rng)


def gradient(side_px: int, rng: random.Random) -> Image.Image:
    """Blend from one colour to another in any direction."""
    mask = Image.linear_gradient("L").rotate(rng.randrange(360), Image.Resampling.BILINEAR)
    middle = mask.crop((48, 48, 208, 208)).resize((side_px, side_px))
    first, second = (Image.new("RGB", (side_px, side_px), random_colour(rng)) for _ in range(2))
    return Image.composite(first, second, middle)


def stripes(side_px: int, rng: random.Random) -> Image.Image:
    """Lay stripes of one colour over another, in any of four directions."""
    picture = Image.new("RGB", (side_px, side_px), random_colour(rng))
    pen, ink = ImageDraw.Draw(picture), random_colour(rng)
    width = rng.randint(1, side_px // 8)
    step, slope = width + rng.randint(2, side_px // 6), rng.choice((-1, 0, 1))
    for x in range(-side_px, 2 * side_px, step):
        pen.line((x, 0, x + slope * side_px, side_px), fill=ink, width=width)
    return picture.transpose(Image.Transpose.ROTATE_90) if rng.random() < 0.5 else picture


def shapes(side_px: int, rng: random.Random) -> Image.Image:
    """Scatter ellipses, boxes, triangles and lines, some of them outlined."""
    scale = 2  # drawn larger, so that edges are smooth
    large = side_px * scale
    picture = Image.new("RGB", (large, large), random_colour(rng))
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.randint(2, 7)):
        x, y = rng.randrange(large), rng.randrange(large)
        width, height = (rng.randint(large // 16, large // 2) for _ in range(2))
        box = (x - width // 2, y - height // 2, x + width // 2, y + height // 2)
        fill, edge = random_colour(rng), random_colour(rng)
        line = rng.choice((0, 0, 2, 3, 5))
        kind = rng.randrange(4)
        if kind == 0:
            pen.ellipse(box, fill=fill, outline=edge, width=line)
        elif kind == 1:
            pen.rounded_rectangle(box, rng.randrange(12), fill=fill, outline=edge, width=line)
        elif kind == 2:
            corners = [(x, box[1]), (box[2], box[3]), (box[0], box[3])]
            pen.polygon(corners, fill=fill, outline=edge, width=max(1, line))
        else:
            pen.line((box[0], box[1], box[2], box[3]), fill=fill, width=max(2, line))
    return picture.resize((side_px, side_px), Image.Resampling.BOX)
