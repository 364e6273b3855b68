"""Encode a folder slowly, to be killed, into a cache: the arguments are FOLDER and CACHE."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from src.dataset import PictureDataset, ResizeAndCrop
from tests.src.support import build_pipeline
from toolkit.picture_sets.latent_cache import encode_dataset
from toolkit.picture_sets.layouts import read_folder


def show(done: int, total: int) -> None:
    print(done, flush=True)
    time.sleep(60 if done == 2 else 0)


dataset = PictureDataset(read_folder(Path(sys.argv[1])).pictures, ResizeAndCrop(32))
encode_dataset(build_pipeline().vae, dataset, Path(sys.argv[2]), show)
