"""Tag shuffle and tag dropout: each picture comes with several versions of its caption."""

import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from harness import hookimpl

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp")
DROPPED = 0.3  # how often a part is missing; the first part, the subject, never is


def versions_of(caption, name, count):
    """Return some versions of a caption, the first as written; the same ones in every run."""
    subject, *others = [part.strip() for part in caption.split(",") if part.strip()] or [""]
    # Seeded by a text: an item is the same in every run and does not depend on its neighbours.
    chance = random.Random(f"{name} {caption}")
    versions = [caption]
    for _ in range(count - 1):
        parts = [subject, *(part for part in others if chance.random() >= DROPPED)]
        chance.shuffle(parts)
        versions.append(", ".join(parts))
    return versions


class TagShuffleDataset(Dataset):
    """All pictures with their captions as written, then all with the second version, and so on."""

    def __init__(self, data_dir, resolution, versions):
        self.size, self.versions = (resolution, resolution), versions
        self.images = sorted(
            path
            for path in (Path(data_dir) / "Images").iterdir()
            if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
        )
        if not self.images:
            raise FileNotFoundError(f"There are no pictures in {data_dir}.")
        self.captions = []
        for path in self.images:
            file = Path(data_dir) / "ImageCaptions" / f"{path.stem}.txt"
            caption = " ".join(file.read_text(encoding="utf-8-sig").split())
            self.captions.append(versions_of(caption, path.name, versions))

    def __len__(self):
        return self.versions * len(self.images)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        version, number = divmod(index, len(self.images))
        return self.load(self.images[number]), self.captions[number][version]

    def load(self, path):
        with Image.open(path) as file:
            # A phone stores a photo lying on its side, with a note to turn it.
            image = ImageOps.exif_transpose(file).convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)  # what is transparent becomes white, not black
        # Cut to a square in the middle, so that nothing is squeezed, and make it smaller.
        square = ImageOps.fit(white.convert("RGB"), self.size, Image.Resampling.LANCZOS)
        pixel_values = torch.from_numpy(np.array(square))  # (H, W, 3), 0 to 255
        return pixel_values.permute(2, 0, 1).float() / 127.5 - 1.0  # (3, H, W), -1 to 1


@hookimpl
def make_dataset(data_dir, resolution, config):
    return TagShuffleDataset(data_dir, resolution, config.repeats)
