"""Several items of each picture: repeats, mirror images, captions in another order.

Item i is always the same, in every process and every run: what a picture's n-th item looks like
depends on its content, on n and on the config's seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import PIL
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from toolkit.core.settings import DatasetConfig

from .captions import content_hash, vary
from .folder import Picture


class Variants(Dataset[tuple[Tensor, str]]):
    """The items that a list of pictures makes, and what names each for a cache.

    A subclass says what an item is: ``__getitem__``.

    Args:
        pictures: Paths and captions.
        transform: From an RGB picture to pixel_values (3, H, W). One that makes the same of the
            same picture says so by an attribute ``version``, to be raised when that changes, and by
            a ``repr`` that holds all its settings.
        config: Repeats, mirror images, captions.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        transform: Callable[[Image.Image], Tensor],
        config: DatasetConfig,
    ) -> None:
        self.pictures = pictures
        self.transform = transform
        self.config = config
        self.variants = config.repeats * (2 if config.flip else 1)
        self._hashes: dict[Path, str] = {}

    def __len__(self) -> int:
        return len(self.pictures) * self.variants

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

        None if that is unknown: the transform has no ``version``.
        """
        transform: Any = self.transform
        if not hasattr(transform, "version"):
            return None
        picture, _, mirrored = self.locate(idx)
        version = f"{transform.version} Pillow {PIL.__version__}"
        return f"{self.hash_of(picture)} {transform} mirrored={mirrored} {version}"

    def hash_of(self, picture: Picture) -> str:
        """Return the sha256 of a picture file, which is read once for all its repeats."""
        if picture.path not in self._hashes:
            self._hashes[picture.path] = content_hash(picture.path)
        return self._hashes[picture.path]

    def name_of(self, idx: int) -> str:
        """Return the file of an item, for messages."""
        return str(self.locate(idx)[0].path)
