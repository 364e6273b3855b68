"""Make the pictures of ``tracks/photo``: photographs of one mug, rendered by Blender.

    python3.11 -m venv blender && blender/bin/python -m pip install bpy==4.2.0
    blender/bin/python -m recipes.photo_track

bpy is Blender as a Python module; it runs on Python 3.11 and is no package of the hub. It takes
four minutes on one core. Pixels may differ by a step of brightness on another processor.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recipes.photo_track.plan import parts

TRACK = Path(__file__).resolve().parents[2] / "tracks" / "photo"


def main() -> int:
    """Render what is not there yet, and write its captions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=TRACK, help="folder of the track")
    out: Path = parser.parse_args().out
    try:
        from recipes.photo_track.scene import render
    except ModuleNotFoundError as error:
        parser.error(f"{error}. Install it for Python 3.11: pip install bpy==4.2.0")
    for part, pictures in parts().items():
        for folder in ("Images", "ImageCaptions"):
            (out / part / folder).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures, start=1):
            stem = f"photo{number:02d}"
            caption = out / part / "ImageCaptions" / f"{stem}.txt"
            caption.write_text(picture.caption + "\n", encoding="utf-8")
            file = out / part / "Images" / f"{stem}.jpg"
            if not file.exists():
                render(picture, file)
            print(f"{part} {stem}: {picture.caption}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
