"""Colours as a viewer shows them: a picture's ICC profile is applied, and sRGB comes out.

A phone's photo in Display P3, taken for sRGB, is up to 20 of 255 levels off.
"""

from __future__ import annotations

import io

from PIL import Image, ImageCms

# Modes with colours and transparency -> the colours alone.
WITHOUT_ALPHA = {"RGBA": "RGB", "LA": "L", "PA": "RGB", "P": "RGB"}


def foreign_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """Return a picture's ICC profile, or None if it has none or that of sRGB.

    Raises:
        ImageCms.PyCMSError: The profile is damaged.
    """
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        name = ImageCms.getProfileDescription(profile)
    except OSError as error:
        raise ImageCms.PyCMSError(error) from error
    return None if "srgb" in name.lower() else profile


def profile_fault(image: Image.Image) -> str:
    """Say why a picture's profile cannot be applied; "" if it can, or there is nothing to apply."""
    try:
        in_srgb(image)
    except ImageCms.PyCMSError as error:
        return str(error) or "it is damaged"
    return ""


def as_srgb(image: Image.Image) -> Image.Image:
    """Return a decoded picture in sRGB; one whose profile cannot be applied stays as it is.

    Modes that have no profile to speak of (1, I, F) stay as they are too.
    """
    try:
        return in_srgb(image)
    except ImageCms.PyCMSError:
        return image


def in_srgb(image: Image.Image) -> Image.Image:
    """Return a decoded picture in sRGB, in mode RGB or RGBA if its profile had to be applied.

    Raises:
        ImageCms.PyCMSError: The profile is damaged, or belongs to another kind of picture.
    """
    profile = foreign_profile(image)
    if profile is None or image.mode.startswith("I") or image.mode in "1F":
        return image
    colours = image.convert(WITHOUT_ALPHA.get(image.mode, image.mode))
    converted = ImageCms.profileToProfile(
        colours,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if converted is None:  # for Pillow's types: only with inPlace
        return image
    if image.has_transparency_data:
        converted.putalpha(image.convert("RGBA").getchannel("A"))
    converted.info.pop("icc_profile", None)
    return converted
