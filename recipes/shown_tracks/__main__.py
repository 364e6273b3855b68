"""Make the pictures of ``tracks/portrait``, ``tracks/silhouette`` and ``tracks/halves``.

    pip download --no-deps --dest wheels arcade==3.3.3
    python -m recipes.shown_tracks --wheel wheels/arcade-3.3.3-py3-none-any.whl --packages icons

``--packages`` is a folder with the icon sets' npm tarballs; what is missing is fetched with ``npm
pack``. The same packages give the same bytes on every machine with the same Pillow and resvg.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

from harness import paths
from recipes.pictures import write_folder
from recipes.robot_track.__main__ import require_wheel
from recipes.shown_tracks import board_sets, halves, portrait, silhouette
from recipes.tiny_sd.packages import read_icon_set, read_packages


def main() -> int:
    """Check the packages' hashes and write all three tracks' folders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheel", type=Path, required=True, help="the arcade-3.3.3 wheel")
    parser.add_argument("--packages", type=Path, default=paths.RUNS / "packages")
    parser.add_argument("--out", type=Path, default=paths.TRACKS)
    options = parser.parse_args()
    require_wheel(parser, options.wheel)
    sets = {key: read_icon_set(one, options.packages) for key, one in read_packages().items()}
    with zipfile.ZipFile(options.wheel) as wheel:
        for part, robots in portrait.parts().items():
            write_folder(options.out / "portrait" / part, portrait.robots(robots, wheel))
        write_folder(options.out / "portrait" / "rivals", portrait.rivals(wheel, sets))
        board_sets.PUBLIC.write(options.out / "portrait", wheel)
    for part, drawn in silhouette.parts().items():
        write_folder(options.out / "silhouette" / part, silhouette.drawings(drawn, sets))
    for part, made in halves.parts().items():
        write_folder(options.out / "halves" / part, halves.drawings(made, sets))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
