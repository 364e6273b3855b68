"""The layout that the hooks are promised: Images/<name> and ImageCaptions/<name>.txt.

A contribution's ``make_dataset`` is promised that layout, PNG, JPEG and WebP, upright and in sRGB;
often it reads nothing else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from toolkit.core.settings import DatasetConfig
from toolkit.images.decode import load_rgb, read_header
from toolkit.images.normalise import SUFFIXES

from .captions import SUFFIX, with_trigger
from .fair_copy import unique
from .folder import CAPTIONS, IMAGES, Picture


def lay_out(pictures: Sequence[Picture], config: DatasetConfig, out: Path) -> Path:
    """Lay pictures and captions out as the hooks expect them, in place of an older folder.

    Args:
        pictures: With their captions; their files are not changed.
        config: Its trigger word is written into the captions, for hooks that take no settings;
            shuffled captions get theirs later, in front of the shuffled tags.
        out: The folder to make. Files that are fine are linked to where that is possible.

    Raises:
        DataSetError: A picture cannot be read.
        OSError: The folder cannot be written.
    """
    shutil.rmtree(out, ignore_errors=True)
    for folder in (IMAGES, CAPTIONS):
        (out / folder).mkdir(parents=True)
    names: set[str] = set()
    for picture in pictures:
        header = read_header(picture.path)
        stem = unique(picture.path.stem, names)
        if header.plain and header.format in SUFFIXES:
            link_or_copy(picture.path, out / IMAGES / f"{stem}{SUFFIXES[header.format]}")
        else:
            load_rgb(picture.path).save(out / IMAGES / f"{stem}.png")  # the same pixels
        caption = picture.caption
        if not config.shuffle_captions or not caption:
            caption = with_trigger(caption, config.trigger_word)
        (out / CAPTIONS / f"{stem}{SUFFIX}").write_text(caption, encoding="utf-8")
    return out


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the disk is another one."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
