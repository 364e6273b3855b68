"""From a query to a picture drawn by the trained model: no network, the embedded base."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.toolkit.scrapers.conftest import Collected, quick

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_scrape_check_train_and_draw(archive, tmp_path):
    data, results = tmp_path / "Dataset", tmp_path / "results"
    archive.openverse(archive.pictures(6, size=(128, 112)))
    scraped = run("src.scraping", *quick(archive, data, "--count", "6", "--trigger", "sks"))
    assert scraped.returncode == 0, scraped.stderr
    assert len(Collected(data).names) == 6

    checked = run("toolkit.picture_sets", "check", str(data), "--resolution", "64")
    assert checked.returncode == 0, checked.stdout
    assert "6 pictures" in checked.stdout

    options = ["--data", str(data), "--out", str(results), "--steps", "3", "--rank", "2"]
    prompt = ["--prompt", "sks red panda in a tree", "--num-inference-steps", "2"]
    trained = run("src.main", *options, *prompt)
    assert trained.returncode == 0, trained.stderr
    assert (results / "adapter.safetensors").is_file()
    with Image.open(results / "samples.png") as sheet:
        assert sheet.getcolors(16) is None, "a picture has more than a few colours"


def test_other_programs_read_the_folder_as_hugging_face_s_imagefolder(archive, scrape, tmp_path):
    """By its metadata.jsonl alone, as `datasets` does: names relative to the file, and a text."""
    archive.openverse(archive.pictures(3))
    folder = scrape().folder
    # Without the caption folder only metadata.jsonl is left to say what is what.
    (folder.path / "ImageCaptions").rename(tmp_path / "elsewhere")
    from toolkit.picture_sets.layouts import read_folder

    found = read_folder(folder.path)
    assert found.layout == "metadata"
    assert found.problems == ()
    assert len(found.pictures) == 3
    assert all(picture.caption.startswith("Red panda number") for picture in found.pictures)


def test_the_folder_is_the_hub_s_own_layout(archive, scrape):
    archive.openverse(archive.pictures(3))
    from toolkit.picture_sets.layouts import read_folder

    found = read_folder(scrape().folder.path)
    assert found.layout == "images"
    assert (len(found.pictures), found.problems) == (3, ())
