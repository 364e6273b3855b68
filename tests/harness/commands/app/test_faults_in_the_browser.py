"""Whatever goes wrong is a sentence on the page: no traceback, and nothing that waits for ever."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib

import pytest

from harness import paths
from tests.clone import small_clone
from tests.harness.board.browser import browser
from tests.harness.commands.app.driving import (
    ALONE,
    IN_A_BROWSER,
    drop,
    fill,
    is_at_rest,
    press,
    says,
    served,
    wait_for,
)

pytestmark = IN_A_BROWSER

FIXTURES = paths.ROOT / "tests" / "fixtures" / "contributions"
SMALL_DISK = 'mkdir -p {runs} && mount -t tmpfs -o size=600k tmpfs {runs} && exec "$@"'


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A copy of the hub with a base of a few kilobytes and a contribution that raises."""
    made = small_clone(tmp_path_factory.mktemp("app"))
    shutil.copytree(FIXTURES / "RaisesInTrain", made / "CONTRIBUTIONS" / "RaisesInTrain")
    return made


def bad_pictures(folder):
    """A page of bad pictures: cut off, empty, no picture, and one that would fill the memory."""
    folder.mkdir()
    good = next(iter(sorted((paths.REFERENCE / "Dataset" / "Images").iterdir()))).read_bytes()
    (folder / "cut-off.png").write_bytes(good[: len(good) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "words.webp").write_bytes(b"<script>alert(1)</script>")
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    huge = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    (folder / "huge.png").write_bytes(huge + struct.pack(">I", zlib.crc32(chunk)) + good[33:])
    return sorted(folder.iterdir())


def no_traceback(page):
    text = page.run("document.documentElement.textContent")
    assert "Traceback" not in text


def new_set(page, name, folder=""):
    press(page, "1 Pictures")
    fill(page, name=name)
    press(page, "Make the set")
    says(page, "Drop pictures here")
    if folder:
        press(page, "Take a folder or a zip of this machine")
        fill(page, source=folder)
        press(page, "Copy its pictures")


def begin(page, name, base):
    """Start a training of the newest set."""
    press(page, "2 Method")
    says(page, "Choose a method")
    page.run(f"document.querySelector('input[value={name}]').checked = true")
    fill(page, pictures="robots", base=base, steps="3", num_inference_steps="2")
    press(page, "Start the training")
    says(page, f"{name} on robots")


def failed(page):
    """Wait until the training has failed, and return the sentence."""
    wait_for(page, "document.querySelector('.badge')?.innerText === 'failed'", "the end")
    assert is_at_rest(page)
    no_traceback(page)
    return page.run("document.querySelector('[role=alert]').innerText")


def test_bad_pictures_a_missing_base_and_a_contribution_that_raises(hub, tmp_path):
    with browser(tmp_path, ALONE) as page, served(tmp_path / "runs", hub=hub) as (_, address):
        page.show(1280, 900)
        page.open(address)
        new_set(page, "bad")
        drop(page, bad_pictures(tmp_path / "bad"))
        says(page, "Training would refuse this folder")
        for name in ("cut-off.png", "empty.jpg", "words.webp", "huge.png"):
            assert page.run(
                f"[...document.querySelectorAll('.card')].find(c => c.innerText.includes('{name}'))"
                ".querySelector('.fault').innerText.length > 20"
            ), name
        no_traceback(page)
        new_set(page, "nothing", "/no/such/folder")
        says(page, "What to do:")
        says(page, "/no/such/folder")
        new_set(page, "robots", str(paths.REFERENCE / "Dataset"))
        says(page, "Ready to train")
        begin(page, "reference", "no/such/base/anywhere")
        assert "no/such/base/anywhere" in failed(page)
        begin(page, "RaisesInTrain", "models/random")
        sentence = failed(page)
        assert "RaisesInTrain" in sentence
        assert "What to do:" in sentence
        # A base that is not there is refused by the question before the start, too.
        press(page, "2 Method")
        fill(page, base="no/such/base/anywhere")
        press(page, "How long will it take?")
        wait_for(page, "!document.getElementById('check').disabled", "the answer")
        said = page.run("document.getElementById('checked').innerText")
        assert "no/such/base/anywhere" in said
        no_traceback(page)


def can_mount():
    words = ["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not can_mount(), reason="no small disk can be mounted by this user")
def test_a_full_disk(hub, tmp_path):
    runs = tmp_path / "runs"
    inside = ("unshare", "-m", "sh", "-c", SMALL_DISK.format(runs=runs), "sh")
    with browser(tmp_path, ALONE) as page, served(runs, hub=hub, inside=inside) as (_, address):
        page.show(1280, 900)
        page.open(address)
        new_set(page, "robots", str(paths.REFERENCE / "Dataset"))
        says(page, "Ready to train")
        begin(page, "reference", "models/random")
        sentence = failed(page)
        assert "No space left" in sentence
        assert "What to do:" in sentence
        # What was there stays, and the page goes on.
        big = tmp_path / "big.png"
        big.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 1_000_000)
        new_set(page, "more")
        drop(page, [big])
        says(page, "The machine does not allow writing")
        press(page, "1 Pictures")
        press(page, "robots")
        says(page, "Ready to train")
        no_traceback(page)
