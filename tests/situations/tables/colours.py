"""Colours and depths: what comes out is what a viewer shows."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageCms

from tests.situations.profiles import display_p3
from tests.situations.situation import Situation, colour, saved

PART = "Colours"
TYPED = "dataset fix photos --out new"


def row(title, happens, name, data, wanted, says=()) -> Situation:
    files = {f"photos/{name}": data, f"photos/{name.split('.')[0]}.txt": "a mug"}
    return Situation(PART, title, happens, files, TYPED, 0, says, then=colour("new", wanted))


def grey(values: float, dtype: str) -> Image.Image:
    return Image.fromarray(np.full((80, 96), values, dtype=dtype))


def plain(mode: str, value) -> Image.Image:
    return Image.new(mode, (96, 80), value)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

CASES = [
    row(
        "a phone's photo in Display P3",
        "converted to sRGB: an orange stays that orange",
        "a.jpg",
        saved(
            plain("RGB", (220, 140, 80)),
            "JPEG",
            quality=100,
            subsampling=0,
            icc_profile=display_p3(),
        ),
        (233, 135, 65),
        ("plain RGB JPEG",),
    ),
    row(
        "a PNG in Display P3 with transparency",
        "converted, and laid onto white",
        "a.png",
        saved(plain("RGBA", (220, 140, 80, 255)), "PNG", icc_profile=display_p3()),
        (233, 135, 65),
    ),
    row(
        "a photo that says it is sRGB",
        "the numbers stay",
        "a.png",
        saved(plain("RGB", (220, 140, 80)), "PNG", icc_profile=SRGB),
        (220, 140, 80),
    ),
    row(
        "a damaged colour profile",
        "the picture is used without it",
        "a.png",
        saved(plain("RGB", (220, 140, 80)), "PNG", icc_profile=b"no profile"),
        (220, 140, 80),
    ),
    row(
        "a profile of another kind of picture",
        "the picture is used without it",
        "a.png",
        saved(plain("RGB", (220, 140, 80)), "PNG", icc_profile=LAB),
        (220, 140, 80),
    ),
    row(
        "a grey TIFF of floats from 0 to 1",
        "grey",
        "a.tif",
        saved(grey(0.5, "float32"), "TIFF"),
        (128, 128, 128),
    ),
    row(
        "a grey TIFF of floats from 0 to 255",
        "grey, not white",
        "a.tif",
        saved(grey(100.0, "float32"), "TIFF"),
        (100, 100, 100),
    ),
    row(
        "a grey TIFF of floats from 0 to 65535",
        "grey, not white",
        "a.tif",
        saved(grey(32768.0, "float32"), "TIFF"),
        (128, 128, 128),
    ),
    row(
        "a grey TIFF of 32-bit numbers from 0 to 255",
        "grey, not black",
        "a.tif",
        saved(grey(100, "int32"), "TIFF"),
        (100, 100, 100),
    ),
    row(
        "a grey TIFF of 32-bit numbers over the whole range",
        "grey, not white",
        "a.tif",
        saved(grey(2**30, "int32"), "TIFF"),
        (128, 128, 128),
    ),
    row(
        "a grey PNG of 16 bits",
        "grey",
        "a.png",
        saved(grey(32768, "uint16"), "PNG"),
        (128, 128, 128),
    ),
    row(
        "a CMYK photo for print",
        "its colours in RGB",
        "a.jpg",
        saved(plain("CMYK", (0, 128, 255, 0)), "JPEG", quality=100),
        (255, 127, 0),
    ),
    row(
        "a transparent PNG",
        "laid onto white",
        "a.png",
        saved(plain("RGBA", (200, 0, 0, 0)), "PNG"),
        (255, 255, 255),
    ),
    row(
        "a picture of a palette",
        "its colours",
        "a.gif",
        saved(plain("RGB", (10, 200, 30)).quantize(4), "GIF"),
        (10, 200, 30),
    ),
]
