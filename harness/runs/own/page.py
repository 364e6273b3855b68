"""One self-contained page: what to take, how certain that is, figures and pictures side by side.

Names and captions come from strangers: Jinja2 escapes all of them, and the page may not load or run
anything (see its content security policy).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from harness.protocol.row import Row
from harness.protocol.track import Track
from harness.protocol.track_file import Prompt
from harness.runs.own.recommend import Recommendation
from toolkit.core import atomic
from toolkit.core.templates import render
from toolkit.images.sheet import open_picture

PAGE = "contest.html"
SIDE_PX = 256
QUALITY = 85  # WebP's scale, 0 to 100
# Forty columns of pictures in full would make a page of a hundred megabytes.
MOST_COLUMNS = 12


@dataclass(frozen=True)
class Drawn:
    """What one contestant drew: one file per prompt of the track."""

    name: str
    files: Sequence[Path]


def write_contest(
    path: Path,
    found: Recommendation,
    failed: Sequence[Row],
    drawn: Sequence[Drawn],
    track: Track,
    commands: Sequence[str],
) -> None:
    """Write the page.

    Args:
        path: Where to.
        found: The standings, the best first.
        failed: Rows without figures.
        drawn: Base first, then contestants in the order of the standings.
        track: Whose prompts were drawn.
        commands: What can be typed next.
    """
    shown = drawn[: MOST_COLUMNS + 1]
    numbers = dict.fromkeys((*track.file.shown, *track.file.of_kind("instance")))
    prompts = [
        {
            "text": track.file.prompts[number].text,
            "kind": track.file.prompts[number].kind,
            "like": like(track, track.file.prompts[number]),
            "images": [thumbnail_url(one.files[number]) for one in shown],
        }
        for number in sorted(numbers)
    ]
    text = render(
        Path(__file__).parent / "templates" / "contest.html",
        track=track.file,
        found=found,
        failed=failed,
        columns=[one.name for one in shown],
        left_out=max(0, len(drawn) - len(shown)),
        prompts=prompts,
        commands=commands,
    )
    atomic.write_text(path, text)


def like(track: Track, prompt: Prompt) -> str:
    """Return the held-out picture that a prompt is about, as a data URL; "" when there is none."""
    if prompt.like is None:
        return ""
    return thumbnail_url(track.heldout_dir / "Images" / f"{prompt.like}.png")


def thumbnail_url(path: Path) -> str:
    """Return a picture as a data URL, small and encoded anew so that no metadata travels."""
    picture = open_picture(path)
    picture.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
