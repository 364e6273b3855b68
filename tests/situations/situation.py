"""One situation: what lies in a folder, what is typed there, what happens."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.toolkit.picture_sets.zoo import scene

Check = Callable[[Path, str], None]  # the folder and what was said


class Situation(NamedTuple):
    """A row of the page and a test.

    Args:
        part: The heading it stands under.
        title: What somebody has or does.
        happens: What happens, for the page.
        files: Name -> a seed for a picture, text, bytes, a dict for a zip, or a function that
            writes the file.
        typed: The words after `nox -s`, without the `--`.
        code: Exit code.
        says: Texts that have to be in what is said.
        hides: Texts that must not be in it.
        then: Looks at what came out.
    """

    part: str
    title: str
    happens: str
    files: dict[str, Any]
    typed: str
    code: int = 0
    says: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    then: Check | None = None


def write(files: dict[str, Any], folder: Path) -> None:
    """Write what lies there."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif isinstance(content, int):
            path.write_bytes(picture(content, path.suffix))
        elif isinstance(content, dict):
            write_zip(path, content)
        else:
            path.write_bytes(content)


FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".apng": "PNG"} | {
    ".tif": "TIFF", ".jp2": "JPEG2000", ".ppm": "PPM", ".tga": "TGA", ".ico": "ICO", "": "JPEG"
}  # fmt: skip


def picture(seed: int, suffix: str = ".png", **how: Any) -> bytes:
    """A picture as a file, unlike any with another seed."""
    return saved(scene(seed), FORMATS.get(suffix.lower(), suffix[1:].upper()), **how)


def saved(image: Image.Image, kind: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def write_zip(path: Path, files: dict[str, Any]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            data = picture(content, Path(name).suffix) if isinstance(content, int) else content
            archive.writestr(name, data)


def link(target: str) -> Callable[[Path], None]:
    """A link, whether its target is there or not."""
    return lambda path: path.symlink_to(target)


def captions(out: str, **wanted: str) -> Check:
    """The captions that an import wrote, by the pictures' names."""

    def check(folder: Path, said: str) -> None:
        found = {p.stem: p.read_text().strip() for p in (folder / out / "ImageCaptions").iterdir()}
        assert found == wanted, said

    return check


def colour(out: str, wanted: tuple[int, int, int], tolerance: int = 3) -> Check:
    """The mean colour of the only picture that came out."""

    def check(folder: Path, said: str) -> None:
        (path,) = (folder / out / "Images").iterdir()
        with Image.open(path) as image:
            mean = np.asarray(image.convert("RGB"), float).mean((0, 1))
        assert np.abs(mean - wanted).max() <= tolerance, (mean, said)

    return check


def good(number: int = 5, folder: str = "photos", suffix: str = ".png") -> dict[str, Any]:
    """Pictures that nobody could complain about."""
    return {
        name: content
        for i in range(number)
        for name, content in (
            (f"{folder}/{i}{suffix}", i),
            (f"{folder}/{i}.txt", f"a sks mug, view {i}"),
        )
    }
