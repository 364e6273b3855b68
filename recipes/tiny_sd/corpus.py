"""The corpus: every icon rendered once, with a hash that two people can compare."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import resvg_py
from PIL import Image

from toolkit.core.atomic import write_bytes

from .files import read_json, write_json
from .packages import IconSet, Package, read_icon_set
from .progress import progress
from .vocabulary import BINDING_THINGS, CONCEPTS, STYLES, is_held_out

Pixels = npt.NDArray[np.uint8]

# Pictures of things: what captions may speak of and what the evaluation holds out. People, symbols
# and flags are extra, for the autoencoder only: one shape repeated, or text.
CATEGORIES: Final = (
    "Activities",
    "Animals & Nature",
    "Food & Drink",
    "Objects",
    "Smileys & Emotion",
    "Travel & Places",
)
GAME_ICONS: Final = "game-icons"  # silhouettes, for the autoencoder only
# The same person in another colour: one in eight is enough.
SKIN_TONE: Final = re.compile(r"skin-tone|-(light|medium-light|medium|medium-dark|dark)$")
SKIN_TONE_SHARE: Final = 8


@dataclass(frozen=True)
class Icon:
    """One rendered icon."""

    name: str
    set: str
    concept: bool
    held_out: bool
    extra: bool = False  # for the autoencoder only, and not among the evaluation's held-out ones


@dataclass(frozen=True)
class Corpus:
    """All icons: `entries[i]` describes `pixels[i]`."""

    entries: tuple[Icon, ...]
    pixels: Pixels  # (N, icon_px, icon_px, 4) RGBA
    sha256: str

    def find(self, name: str, set_key: str) -> int:
        """Return the index of one icon."""
        return next(
            i for i, icon in enumerate(self.entries) if icon.name == name and icon.set == set_key
        )


def render(svg: str, size_px: int) -> Pixels:
    """Render one SVG document.

    Args:
        svg: Document text.
        size_px: Width and height of the square picture.

    Returns:
        (size_px, size_px, 4) RGBA, icon centred when it is not square.
    """
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size_px, height=size_px)
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    canvas = Image.new("RGBA", (size_px, size_px))
    canvas.paste(picture, ((size_px - picture.width) // 2, (size_px - picture.height) // 2))
    return np.asarray(canvas)  # (size_px, size_px, 4)


def chosen_names(icons: IconSet) -> list[str]:
    """List the names of a set that belong to the corpus, sorted."""
    return sorted(name for name in icons.icons["icons"] if _is_chosen(icons.key, name))


def _is_chosen(key: str, name: str) -> bool:
    if key == GAME_ICONS:
        # The binding track shows these silhouettes: the base must not have seen its things.
        return BINDING_THINGS.isdisjoint(name.split("-"))
    return not SKIN_TONE.search(name) or _bucket(name) == 0


def _bucket(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % SKIN_TONE_SHARE


def main_names(icons: IconSet) -> frozenset[str]:
    """List the pictures of things; the other names of a set are extra."""
    if icons.key == GAME_ICONS:
        return frozenset()
    if not icons.categories:
        return frozenset(icons.icons["icons"])
    names = {name for category in CATEGORIES for name in icons.categories.get(category, ())}
    return frozenset(name for name in names if "skin-tone" not in name)


def build_corpus(packages: dict[str, Package], folder: Path, icon_px: int) -> Corpus:
    """Render all chosen icons of all packages.

    Args:
        packages: From `read_packages`.
        folder: Where the tarballs are or will be.
        icon_px: Rendered size; larger than 64 so that composites are scaled down, never up.

    Returns:
        The corpus in a fixed order (package, then name).
    """
    entries: list[Icon] = []
    pictures: list[Pixels] = []
    for key in sorted(packages):
        icons = read_icon_set(packages[key], folder)
        main = main_names(icons)
        for name in progress(chosen_names(icons), f"render {key}"):
            concept = key in STYLES.values() and name in CONCEPTS
            entries.append(Icon(name, key, concept, is_held_out(name), name not in main))
            pictures.append(render(icons.svg(name), icon_px))
    pixels = np.stack(pictures)
    return Corpus(tuple(entries), pixels, corpus_hash(tuple(entries), pixels))


def corpus_hash(entries: tuple[Icon, ...], pixels: Pixels) -> str:
    """Hash descriptions and pixels together."""
    digest = hashlib.sha256(json.dumps([asdict(icon) for icon in entries]).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def save_corpus(corpus: Corpus, folder: Path) -> None:
    """Write ``corpus.npy`` and ``corpus.json`` into `folder`."""
    stream = io.BytesIO()
    np.save(stream, corpus.pixels)
    write_bytes(folder / "corpus.npy", stream.getvalue())
    description = {"sha256": corpus.sha256, "icons": [asdict(icon) for icon in corpus.entries]}
    write_json(folder / "corpus.json", description)


def load_corpus(folder: Path) -> Corpus:
    """Read what `save_corpus` wrote."""
    description = read_json(folder / "corpus.json")
    entries = tuple(Icon(**icon) for icon in description["icons"])
    return Corpus(entries, np.load(folder / "corpus.npy", mmap_mode="r"), description["sha256"])
