"""Pictures and captions from a folder: one caption file per picture, under the same stem.

Images/robot1.png  <->  ImageCaptions/robot1.txt
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from harness import hookimpl

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp")


class SquareCrop:
    """Turn a picture into what the VAE expects: square, float32, values in [-1, 1].

    Args:
        resolution: Side of the square in pixels, a multiple of 8 (the VAE halves it three times).
    """

    def __init__(self, resolution: int = 512) -> None:
        if resolution < 8 or resolution % 8:
            raise ValueError(f"resolution is {resolution}, but it has to be a multiple of 8.")
        self.resolution = resolution

    def __call__(self, image: Image.Image) -> Tensor:
        """Return ``image`` as pixel_values (3, resolution, resolution)."""
        # The shorter side becomes `resolution` and the longer one is cut at both ends: a circle
        # stays a circle. Lanczos averages over the pixels that become one, so nothing aliases.
        size = (self.resolution, self.resolution)
        square = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        bytes_hwc = torch.from_numpy(np.array(square))  # (H, W, 3) uint8
        pixel_values = bytes_hwc.permute(2, 0, 1).float()  # (3, H, W), 0 to 255
        return pixel_values / 127.5 - 1.0  # (3, H, W), -1 to 1


class CustomDataset(Dataset[tuple[Tensor, str]]):
    """The pictures of a folder, sorted by name, each with its caption.

    Args:
        img_dir: Folder with the pictures; other files and hidden ones are ignored.
        caption_dir: Folder with ``<stem>.txt`` for each picture; None makes every caption "".
        transform: From an RGB picture to the item's first part; by default ``SquareCrop(512)``.

    Raises:
        FileNotFoundError: A folder does not exist, holds no pictures, or captions are missing
            (the message names all of them).
        ValueError: A caption is not UTF-8.
    """

    def __init__(
        self,
        img_dir: str | Path,
        caption_dir: str | Path | None = None,
        transform: Callable[[Image.Image], Tensor] | None = None,
    ) -> None:
        self.img_dir = Path(img_dir)
        self.caption_dir = None if caption_dir is None else Path(caption_dir)
        self.transform = transform or SquareCrop()
        # Sorted, because the order in which a folder is listed differs from machine to machine.
        self.images = sorted(find_pictures(self.img_dir))
        if self.caption_dir is None:
            self.captions = [""] * len(self.images)
        else:
            self.captions = read_captions(self.caption_dir, self.images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, idx: int) -> tuple[Tensor, str]:
        image = load_rgb(self.img_dir / self.images[idx])
        return self.transform(image), self.captions[idx]


def find_pictures(img_dir: Path) -> list[str]:
    """Return the names of the pictures in a folder.

    Raises:
        FileNotFoundError: There is no such folder, or no picture in it.
    """
    if not img_dir.is_dir():
        raise FileNotFoundError(f"There is no folder {img_dir}. Put your pictures there.")
    names = [
        path.name
        for path in img_dir.iterdir()
        # Hidden files are the system's: .DS_Store, and macOS' ._robot.png, which is no picture.
        if path.suffix.lower() in EXTENSIONS and path.name[0] != "." and path.is_file()
    ]
    if not names:
        raise FileNotFoundError(f"{img_dir} holds no pictures ({', '.join(EXTENSIONS)}).")
    return names


def read_captions(caption_dir: Path, images: list[str]) -> list[str]:
    """Return the caption of each picture, on one line.

    Raises:
        FileNotFoundError: Captions are missing; the message names every one of them.
        ValueError: A caption is not UTF-8.
    """
    paths = [caption_dir / f"{Path(name).stem}.txt" for name in images]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(images)} captions are missing in {caption_dir}: "
            f"{', '.join(missing)}. Write one line about each picture."
        )
    captions = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8-sig")  # -sig drops the mark Windows editors add
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8: {error}. Save it as UTF-8.") from error
        captions.append(" ".join(text.split()))  # several lines become one
    return captions


def load_rgb(path: Path) -> Image.Image:
    """Open a picture the way a viewer shows it, as 8-bit RGB.

    Args:
        path: A picture of any mode: palette, grey, 16-bit, CMYK, with or without transparency.

    Returns:
        The picture upright (cameras store the turn in an EXIF tag), transparency laid onto white.

    Raises:
        ValueError: It cannot be decoded, or has more pixels than Pillow's safety limit.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
    # A damaged PNG is a SyntaxError to Pillow.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error
    if image.mode.startswith("I"):
        # 16 bits per pixel: convert("RGB") would cut everything above 255 to white.
        grey = np.array(image, dtype=np.float64) / 257.0  # (H, W), 0 to 65535 -> 0 to 255
        image = Image.fromarray(grey.clip(0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    return image.convert("RGB")


@hookimpl
def make_dataset(data_dir: Path, resolution: int) -> Dataset[tuple[Tensor, str]]:
    """Return the pictures of ``data_dir/Images`` with their captions.

    Args:
        data_dir: Folder with ``Images/`` and ``ImageCaptions/``.
        resolution: Side of the squares, in pixels.

    Returns:
        Items ``(pixel_values (3, resolution, resolution) in [-1, 1], caption)``.
    """
    return CustomDataset(
        data_dir / "Images", data_dir / "ImageCaptions", transform=SquareCrop(resolution)
    )
