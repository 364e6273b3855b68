"""The README's first picture: of today's rows, and made by one command."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from benchmarks import screenshots, verdict_picture
from harness import paths
from tests.harness.board.browser import find_browser

IMAGES = paths.ROOT / "docs" / "images"


def test_the_picture_was_made_from_todays_rows_and_page():
    noted = json.loads((IMAGES / verdict_picture.DIGESTS).read_text(encoding="utf-8"))
    today = verdict_picture.sources()
    changed = sorted(name for name in today if noted.get(name) != today[name])
    assert not changed, (
        f"{', '.join(changed)} changed since docs/images/{verdict_picture.PICTURE} was made. Make "
        f"it again: python -m benchmarks.screenshots --only {verdict_picture.PICTURE}"
    )


def test_the_readme_shows_it_first():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    first = next(line for line in text.splitlines() if line.startswith("!["))
    assert first.endswith(f"(docs/images/{verdict_picture.PICTURE})")


def test_the_page_has_the_rows_figures_and_each_picture(tmp_path):
    text = verdict_picture.write(tmp_path).read_text(encoding="utf-8")
    assert "no clear difference" in text
    assert "49,152" in text
    pictures = text.count('src="data:image/png')
    assert pictures == len(verdict_picture.COLUMNS) * text.count('class="soft">a ') > 0


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_the_command_takes_the_picture_and_notes_its_sources(tmp_path):
    picture = verdict_picture.PICTURE
    assert screenshots.main(["--only", picture, "--out", str(tmp_path)]) == 0
    with Image.open(tmp_path / picture) as made, Image.open(IMAGES / picture) as kept:
        assert made.size == kept.size
    noted = json.loads((tmp_path / verdict_picture.DIGESTS).read_text(encoding="utf-8"))
    assert noted == verdict_picture.sources()
