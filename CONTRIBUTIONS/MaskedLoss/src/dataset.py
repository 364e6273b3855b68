"""Pictures, captions, and the alpha channel of pictures that have one."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from harness import hookimpl

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp")


class AlphaDataset(Dataset):
    """Item i is (pixel_values, caption); ``alpha_of(i)`` goes with it."""

    def __init__(self, data_dir, resolution):
        self.captions = Path(data_dir) / "ImageCaptions"
        self.size = (resolution, resolution)
        self.images = sorted(
            path
            for path in (Path(data_dir) / "Images").iterdir()
            if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
        )
        if not self.images:
            raise FileNotFoundError(f"There are no pictures in {data_dir}.")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        caption = (self.captions / f"{self.images[index].stem}.txt").read_text(encoding="utf-8-sig")
        image = self.load(index)
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)  # what is transparent becomes white, not black
        pixel_values = torch.from_numpy(np.array(white.convert("RGB")))  # (H, W, 3), 0 to 255
        pixel_values = pixel_values.permute(2, 0, 1).float()  # (3, H, W)
        return pixel_values / 127.5 - 1.0, " ".join(caption.split())

    def alpha_of(self, index):
        """Return how opaque each pixel is, (H, W) from 0 to 1; None if all of them are."""
        alpha = torch.from_numpy(np.array(self.load(index).getchannel("A"))) / 255
        return None if alpha.min() == 1 else alpha

    def load(self, index):
        with Image.open(self.images[index]) as file:
            # A phone stores a photo lying on its side, with a note to turn it.
            image = ImageOps.exif_transpose(file).convert("RGBA")
        # Cut to a square in the middle, so that nothing is squeezed, and make it smaller.
        return ImageOps.fit(image, self.size, Image.Resampling.LANCZOS)


@hookimpl
def make_dataset(data_dir, resolution):
    return AlphaDataset(data_dir, resolution)
