"""The whole way in a real Chromium: dropped pictures, a training, a file that diffusers loads."""

from __future__ import annotations

import re
import signal
import time

import psutil

from harness import paths
from tests.harness.board.browser import browser
from tests.harness.commands.app.driving import (
    ALONE,
    IN_A_BROWSER,
    PATIENCE_S,
    drop,
    fill,
    press,
    says,
    served,
    wait_for,
)

pytestmark = IN_A_BROWSER

STEPS = 12


def make_pictures(folder):
    """A person's own folder: five robots with captions, something broken, something else."""
    folder.mkdir()
    source = paths.REFERENCE / "Dataset"
    for picture in sorted((source / "Images").iterdir())[:5]:
        (folder / picture.name).write_bytes(picture.read_bytes())
        caption = source / "ImageCaptions" / f"{picture.stem}.txt"
        (folder / caption.name).write_bytes(caption.read_bytes())
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.pdf").write_bytes(b"%PDF")


def bring_pictures(page, mine, copies):
    """Drop them, read what is wrong, mend it."""
    before = {file.name: file.read_bytes() for file in mine.iterdir()}
    fill(page, name="my robots")
    press(page, "Make the set")
    says(page, "Drop pictures here")
    drop(page, sorted(mine.iterdir()))
    says(page, "notes.pdf is neither a picture nor a caption")
    press(page, "Show the others")
    says(page, "broken.png")
    says(page, "Training would refuse this folder")
    page.run("document.querySelector('[aria-label^=\"Take broken.png\"]').click()")
    says(page, "Ready to train")
    assert not page.run("document.body.innerText.includes('broken.png')")
    page.run(
        "(() => { const t = document.querySelector('[data-caption] textarea');"
        " t.value = 'a sks robot on the moon';"
        " t.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    says(page, "Saved.")
    assert "on the moon" in "".join(f.read_text() for f in copies.glob("*.txt"))
    assert {file.name: file.read_bytes() for file in mine.iterdir()} == before


def begin_training(page):
    """Choose, check, start; a reload, a stop and going on in the middle."""
    press(page, "Next: choose a method")
    says(page, "Choose a method and train")
    page.run("document.querySelector('input[value=Example1]').checked = true")
    few = {"num_inference_steps": "4", "sample_every": "4", "checkpoint_every": "4"}
    fill(page, steps=str(STEPS), **few)
    press(page, "How long will it take?")
    says(page, f"{STEPS} steps of 4 pictures")
    says(page, "GiB of memory")
    says(page, "nox -s train -- Example1")
    press(page, "Start the training")
    says(page, f"of {STEPS}, loss")
    page.call("Page.reload")
    says(page, f"of {STEPS}, loss")
    press(page, "Stop")
    says(page, "Go on")
    press(page, "Go on")
    running = "document.querySelector('[data-place=run]')?.dataset.state === 'running'"
    wait_for(page, running, "the training again")


def draw_and_download(page, kept):
    """Compare two strengths, then write the file and keep it."""
    press(page, "Draw with it", PATIENCE_S)
    fill(page, prompt="a sks robot on the moon", strengths="0 1", steps="4")
    press(page, "Draw")
    wait_for(
        page,
        "[...document.querySelectorAll('img.drawn')].filter(i => i.naturalWidth).length"
        " === 2 && !document.querySelector('[data-live]')",
        "the two pictures",
    )
    assert page.run("document.body.textContent.includes('LoRA scale: 0')")
    assert page.run("document.querySelectorAll('.group').length") == 1  # beside each other
    draw_again(page)
    press(page, "3 Trainings")
    press(page, "Example1 on my-robots")
    press(page, "Write the file")
    press(page, "Download my-robots-Example1.safetensors", PATIENCE_S)
    file = kept / "my-robots-Example1.safetensors"
    deadline = time.monotonic() + 300
    while not file.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    return file


def draw_again(page):
    """Drop a picture back in and draw it again: the form is filled, and the pixels are the same."""
    pixels = (
        "fetch([...document.querySelectorAll('img.drawn')].at({})?.src).then(a => a.blob())"
        ".then(createImageBitmap).then(b => {{ const c = new OffscreenCanvas(b.width, b.height)"
        ".getContext('2d'); c.drawImage(b, 0, 0);"
        " return [...c.getImageData(0, 0, b.width, b.height).data].join(); }})"
    )
    first = page.run(pixels.format(-1))
    assert first != page.run(pixels.format(0))  # strength 1 is not strength 0
    fill(page, prompt="something else", strengths="0.5", seed="7")
    page.run(
        "fetch([...document.querySelectorAll('img.drawn')].at(-1).src).then(a => a.blob())"
        ".then(b => { const d = new DataTransfer(); d.items.add(new File([b], 'mine.png'));"
        " const f = document.getElementById('picture'); f.files = d.files;"
        " f.dispatchEvent(new Event('change', {bubbles: true})); })"
    )
    says(page, "Press Draw for the same picture")
    assert page.run("document.getElementById('prompt').value") == "a sks robot on the moon"
    assert page.run("document.getElementById('strengths').value") == "1.0"
    press(page, "Draw")
    again = (
        "document.querySelectorAll('.group').length === 2 && !document.querySelector('[data-live]')"
    )
    wait_for(page, again, "the picture again")
    assert page.run(pixels.format(0)) == first


def test_from_dropped_pictures_to_a_file_that_diffusers_loads(tmp_path):
    runs, mine, kept = tmp_path / "runs", tmp_path / "mine", tmp_path / "kept"
    make_pictures(mine)
    with browser(tmp_path, ALONE) as page:
        page.show(1280, 900)
        page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(kept))
        with served(runs) as (server, address):
            port = int(re.search(r":(\d+)/", address)[1])
            page.open(address)
            bring_pictures(page, mine, runs / "app" / "pictures" / "sets" / "my-robots")
            begin_training(page)
            addresses = {c.laddr.ip for c in psutil.Process(server.pid).net_connections("inet")}
            assert addresses == {"127.0.0.1"}
            server.send_signal(signal.SIGKILL)  # nothing may be lost
            server.wait()
            says(page, "The app does not answer")
        with served(runs, port):
            wait_for(page, "document.getElementById('away-note')?.hidden", "the page again")
            file = draw_and_download(page, kept)
            asked = page.requests()
            assert asked
            assert all(url.startswith((f"http://127.0.0.1:{port}/", "data:")) for url in asked)
            # While the server was away, and of no other kind.
            assert {
                one for one in page.complaints() if "ERR_CONNECTION_REFUSED" not in one
            } == set()
    draw_with(file)


def draw_with(file):
    """Draw the same noise with and without the file: it has to change something."""
    import numpy as np
    import torch
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(paths.ROOT / "models" / "tiny-sd")
    pipeline.set_progress_bar_config(disable=True)

    def picture():
        noise = torch.Generator().manual_seed(0)
        drawn = pipeline("a sks robot", num_inference_steps=3, height=64, width=64,
                         generator=noise)  # fmt: skip
        return np.asarray(drawn.images[0], np.float64)

    base = picture()
    pipeline.load_lora_weights(file)
    assert np.abs(picture() - base).max() > 0
