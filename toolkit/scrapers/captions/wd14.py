"""Tags by a WD14 tagger, from a local model.onnx with its selected_tags.csv.

For drawings and anime: it knows ten thousand tags of an image board. Needs onnxruntime.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from toolkit.scrapers.captions.model_files import check_folder, identity
from toolkit.scrapers.errors import WrongOptions
from toolkit.scrapers.hits import ImageHit

FILES = ("model.onnx", "selected_tags.csv")
# What the taggers' author recommends.
THRESHOLD = 0.35
# In selected_tags.csv: 0 general, 4 character, 9 rating. Ratings describe no picture.
WANTED = ("0", "4")


class Wd14Captioner:
    """A WD14 tagger.

    Args:
        folder: With ``model.onnx`` and ``selected_tags.csv``.

    Raises:
        WrongOptions: Files are missing, do not fit each other, or onnxruntime is not installed.
    """

    def __init__(self, folder: Path) -> None:
        check_folder(folder, FILES)
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise WrongOptions(
                "--caption wd14 needs the package onnxruntime.",
                fix="python harness/environment.py -m pip install onnxruntime",
            ) from error
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0]
        with (folder / "selected_tags.csv").open(encoding="utf-8", newline="") as file:
            self._tags = [(row["name"], row["category"]) for row in csv.DictReader(file)]
        outputs = self._session.get_outputs()[0].shape[-1]
        if outputs != len(self._tags):
            raise WrongOptions(
                f"model.onnx answers {outputs} values, but there are {len(self._tags)} tags.",
                where=str(folder / "selected_tags.csv"),
                fix="Take both files from the same model.",
            )
        self.name = identity("wd14", folder / "model.onnx")

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return the tags above the threshold, the surest first."""
        side = int(self._input.shape[1])
        with Image.open(picture) as file:
            # The whole picture on a white square: what the tagger was trained on.
            square = ImageOps.pad(file.convert("RGB"), (side, side), color="white")
        bgr = np.asarray(square, dtype=np.float32)[None, :, :, ::-1]  # (1, side, side, 3), 0-255
        (scores,) = self._session.run(None, {self._input.name: np.ascontiguousarray(bgr)})
        found = [
            (float(score), name.replace("_", " "))
            for score, (name, category) in zip(scores[0], self._tags, strict=True)
            if category in WANTED and score >= THRESHOLD
        ]
        return ", ".join(name for _, name in sorted(found, key=lambda pair: -pair[0]))
