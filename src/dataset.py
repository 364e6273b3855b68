"""Pictures and captions from a folder, as the tensors that training wants.

Images/robot1.png  <->  ImageCaptions/robot1.txt

That is this hub's layout. Other layouts, odd picture files, buckets and caches are what
``toolkit/picture_sets/`` is for; here is what happens to one picture and one caption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from harness import hookimpl
from toolkit.core.settings import DatasetConfig
from toolkit.images.decode import load_rgb
from toolkit.picture_sets.buckets import target_of
from toolkit.picture_sets.captions import content_hash, vary
from toolkit.picture_sets.folder import Picture
from toolkit.picture_sets.layouts import read_folder, read_pairs
from toolkit.picture_sets.problems import refuse_errors

# Part of the key under which latents are kept: raise it when the same picture becomes other pixels.
PIXELS_VERSION = 1


@dataclass(frozen=True)
class ResizeAndCrop:
    """Turn a picture into what the VAE expects: float32, values in [-1, 1], sides that fit.

    Args:
        resolution: Side of the square in pixels, a multiple of 8 (the VAE halves it three times).
        buckets: Crop to the bucket nearest to the picture's shape instead of to a square.
    """

    resolution: int = 512
    buckets: bool = False

    def __post_init__(self) -> None:
        if self.resolution < 8 or self.resolution % 8:
            raise ValueError(f"resolution is {self.resolution}, but it has to be a multiple of 8.")

    def __call__(self, image: Image.Image) -> Tensor:
        """Return ``image`` as pixel_values (3, H, W)."""
        size = target_of(image.size, self.resolution, self.buckets)  # (W, H)
        # Scaled until it covers `size`, then what sticks out is cut at both ends: a circle stays a
        # circle. Lanczos averages over the pixels that become one, so nothing aliases.
        cropped = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        bytes_hwc = torch.from_numpy(np.array(cropped))  # (H, W, 3) uint8
        pixel_values = bytes_hwc.permute(2, 0, 1).float()  # (3, H, W), 0 to 255
        return pixel_values / 127.5 - 1.0  # (3, H, W), -1 to 1


class PictureDataset(Dataset[tuple[Tensor, str]]):
    """Pictures with their captions; several items of each picture where the config says so.

    Item i is always the same, in every process and every run: what a picture's n-th item looks like
    depends on its content, on n and on the config's seed alone.

    Args:
        pictures: Paths and captions.
        transform: From an RGB picture to the item's first part; by default ``ResizeAndCrop(512)``.
        config: Repeats, mirror images, captions.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        transform: Callable[[Image.Image], Tensor] | None = None,
        config: DatasetConfig | None = None,
    ) -> None:
        self.pictures = pictures
        self.transform = transform or ResizeAndCrop()
        self.config = config or DatasetConfig()
        self.variants = self.config.repeats * (2 if self.config.flip else 1)
        self._hashes: dict[Path, str] = {}

    def __len__(self) -> int:
        return len(self.pictures) * self.variants

    def __getitem__(self, idx: int) -> tuple[Tensor, str]:
        picture, _, mirrored = self.locate(idx)
        pixel_values = self.transform(load_rgb(picture.path))  # (3, H, W)
        if mirrored:
            pixel_values = pixel_values.flip(-1)  # (3, H, W), left and right change places
        return pixel_values, self.caption_of(idx)

    def locate(self, idx: int) -> tuple[Picture, int, bool]:
        """Return the picture of an item, which variant of it, and whether that is mirrored.

        All pictures come once, then all again: every other time mirrored if the config says so.

        Raises:
            IndexError: There is no such item.
        """
        if not -len(self) <= idx < len(self):
            raise IndexError(f"item {idx} of {len(self)}")
        variant, number = divmod(idx % len(self), len(self.pictures))
        return self.pictures[number], variant, self.config.flip and variant % 2 == 1

    # The cache of latents asks for these, so that it need not decode what it has already.

    def caption_of(self, idx: int) -> str:
        """Return the caption of an item."""
        picture, variant, _ = self.locate(idx)
        if not self.config.shuffle_captions and not self.config.trigger_word:
            return picture.caption
        return vary(picture.caption, self.config, self.hash_of(picture), variant)

    def content_key(self, idx: int) -> str | None:
        """Return a text that differs when pixel_values of the item differ.

        None if that is unknown: the transform is not the reference's.
        """
        if not isinstance(self.transform, ResizeAndCrop):
            return None
        picture, _, mirrored = self.locate(idx)
        version = f"{PIXELS_VERSION} Pillow {PIL.__version__}"
        return f"{self.hash_of(picture)} {self.transform} mirrored={mirrored} {version}"

    def hash_of(self, picture: Picture) -> str:
        """Return the sha256 of a picture file, which is read once for all its repeats."""
        if picture.path not in self._hashes:
            self._hashes[picture.path] = content_hash(picture.path)
        return self._hashes[picture.path]

    def name_of(self, idx: int) -> str:
        """Return the file of an item, for messages."""
        return str(self.locate(idx)[0].path)


class CustomDataset(PictureDataset):
    """The pictures of one folder, sorted by name, with the captions of another.

    Args:
        img_dir: Folder with the pictures; other files and hidden ones are ignored.
        caption_dir: Folder with ``<stem>.txt`` for each picture; None makes every caption "".
        transform: From an RGB picture to the item's first part; by default ``ResizeAndCrop(512)``.

    Raises:
        DataSetError: A folder is not there or holds no pictures, captions are missing or not UTF-8
            (the message names all of them).
    """

    def __init__(
        self,
        img_dir: str | Path,
        caption_dir: str | Path | None = None,
        transform: Callable[[Image.Image], Tensor] | None = None,
    ) -> None:
        self.img_dir = Path(img_dir)
        self.caption_dir = None if caption_dir is None else Path(caption_dir)
        found = read_pairs(self.img_dir, self.caption_dir, self.img_dir, "images")
        refuse_errors(found.problems, self.img_dir)
        super().__init__(found.pictures, transform)


@hookimpl
def make_dataset(
    data_dir: Path, resolution: int, config: DatasetConfig
) -> Dataset[tuple[Tensor, str]]:
    """Return the pictures of a folder with their captions.

    Args:
        data_dir: Folder with ``Images/`` and ``ImageCaptions/``, or in one of the other layouts of
            ``toolkit/picture_sets/layouts.py``.
        resolution: Side of the squares in pixels; with buckets, of the square of equal area.
        config: Repeats, mirror images, captions, buckets.

    Returns:
        Items ``(pixel_values (3, H, W) in [-1, 1], caption)``; H = W = resolution unless there are
        buckets.

    Raises:
        DataSetError: Pictures or captions are missing; the message names all of them.
    """
    found = read_folder(data_dir, config.trigger_word)
    refuse_errors(found.problems, data_dir)
    return PictureDataset(found.pictures, ResizeAndCrop(resolution, config.buckets), config)
