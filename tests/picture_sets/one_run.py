"""Encode a folder slowly, to be killed: python -m tests.picture_sets.one_run FOLDER CACHE."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from picture_sets.latent_cache import encode_dataset
from picture_sets.layouts import read_folder
from src.dataset import PictureDataset, ResizeAndCrop
from tests.src.support import build_pipeline


def show(done: int, total: int) -> None:
    print(done, flush=True)
    time.sleep(60 if done == 2 else 0)


dataset = PictureDataset(read_folder(Path(sys.argv[1])).pictures, ResizeAndCrop(32))
encode_dataset(build_pipeline().vae, dataset, Path(sys.argv[2]), show)
