"""Pictures and captions: Images/robot1.png belongs to ImageCaptions/robot1.txt."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from harness import hookimpl

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp")


class CustomDataset(Dataset):
    """Item i is (pixel_values, caption) of the i-th picture, in the order of the names."""

    def __init__(self, img_dir, caption_dir, resolution):
        self.caption_dir = Path(caption_dir)
        self.resolution = resolution
        self.images = sorted(
            path
            for path in Path(img_dir).iterdir()
            # Folders often hold more than pictures: .DS_Store, Thumbs.db, notes.txt.
            if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
        )
        if not self.images:
            raise FileNotFoundError(f"There are no pictures in {img_dir}.")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        path = self.images[index]
        caption = (self.caption_dir / f"{path.stem}.txt").read_text(encoding="utf-8-sig")
        return self.load(path), " ".join(caption.split())

    def load(self, path):
        with Image.open(path) as file:
            # A phone stores a photo lying on its side, with a note to turn it.
            image = ImageOps.exif_transpose(file).convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)  # what is transparent becomes white, not black
        # Cut to a square in the middle, so that nothing is squeezed, and make it smaller.
        size = (self.resolution, self.resolution)
        square = ImageOps.fit(white.convert("RGB"), size, Image.Resampling.LANCZOS)
        pixel_values = torch.from_numpy(np.array(square))  # (H, W, 3), 0 to 255
        pixel_values = pixel_values.permute(2, 0, 1).float()  # (3, H, W)
        return pixel_values / 127.5 - 1.0  # the VAE was trained on -1 to 1


@hookimpl
def make_dataset(data_dir, resolution):
    return CustomDataset(data_dir / "Images", data_dir / "ImageCaptions", resolution)
