"""Pictures and captions from a folder, as the tensors that training wants.

Images/robot1.png  <->  ImageCaptions/robot1.txt

That is this hub's layout. Other layouts, odd picture files, buckets and caches are what
``toolkit/picture_sets/`` is for; here is what happens to one picture and one caption.

Shapes in comments: B batch, H W pixels, S tokens of a caption (77 in SD 1.4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from harness import hookimpl
from toolkit.core.settings import DatasetConfig
from toolkit.images.decode import load_rgb
from toolkit.picture_sets.buckets import target_of
from toolkit.picture_sets.encoded import tokenize
from toolkit.picture_sets.folder import Picture
from toolkit.picture_sets.layouts import read_folder, read_pairs
from toolkit.picture_sets.problems import refuse_errors
from toolkit.picture_sets.variants import Variants

if TYPE_CHECKING:
    from transformers import CLIPTokenizer


@dataclass(frozen=True)
class ResizeAndCrop:
    """Turn a picture into what the VAE expects: float32, values in [-1, 1], sides that fit.

    Args:
        resolution: Side of the square in pixels, a multiple of 8 (the VAE halves it three times).
        buckets: Crop to the bucket nearest to the picture's shape instead of to a square.
    """

    resolution: int = 512
    buckets: bool = False
    # Part of the key under which latents are kept: raise it when the pixels change.
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.resolution < 8 or self.resolution % 8:
            raise ValueError(f"resolution is {self.resolution}, but it has to be a multiple of 8.")

    def __call__(self, image: Image.Image) -> Tensor:
        """Return ``image`` as pixel_values (3, H, W)."""
        size = target_of(image.size, self.resolution, self.buckets)  # (W, H), the square or bucket
        # Scale the picture until it covers `size`, then crop the longer side equally at both ends:
        # a circle stays a circle. Lanczos averages the pixels that become one, so nothing aliases.
        cropped = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        bytes_hwc = torch.from_numpy(np.array(cropped))  # (H, W, 3) uint8
        pixel_values = bytes_hwc.permute(2, 0, 1).float()  # (3, H, W), 0 to 255
        return pixel_values / 127.5 - 1.0  # (3, H, W), -1 to 1


class PictureDataset(Variants):
    """Pictures with their captions; several items of each picture where the config says so.

    Args:
        pictures: Paths and captions.
        transform: From an RGB picture to the item's first part; by default ``ResizeAndCrop(512)``.
        config: Repeats, mirror images, captions; by default one item per picture, as it is.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        transform: Callable[[Image.Image], Tensor] | None = None,
        config: DatasetConfig | None = None,
    ) -> None:
        super().__init__(pictures, transform or ResizeAndCrop(), config or DatasetConfig())

    def __getitem__(self, idx: int) -> tuple[Tensor, str]:
        picture, _, mirrored = self.locate(idx)
        pixel_values = self.transform(load_rgb(picture.path))  # (3, H, W)
        if mirrored:
            pixel_values = pixel_values.flip(-1)  # (3, H, W), left and right change places
        return pixel_values, self.caption_of(idx)


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


def collate(items: Sequence[tuple[Tensor, str]], tokenizer: CLIPTokenizer) -> tuple[Tensor, Tensor]:
    """Make one batch of dataset items, for ``train_loop``.

    ``DataLoader(dataset, batch_size, collate_fn=functools.partial(collate, tokenizer=tokenizer))``

    Returns:
        pixel_values (B, 3, H, W) and the captions as token ids (B, S), padded or cut to S.
    """
    pixel_values = torch.stack([pixels for pixels, _ in items])  # (B, 3, H, W)
    return pixel_values, tokenize(tokenizer, [caption for _, caption in items])
