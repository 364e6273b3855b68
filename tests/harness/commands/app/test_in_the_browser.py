"""The whole way in a real Chromium: dropped pictures, a training, a file that diffusers loads."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from harness import paths
from tests.harness.board.browser import browser, find_browser

pytestmark = [
    pytest.mark.needs("starlette", "uvicorn", "multipart"),
    pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed"),
]

PATIENCE_S = 300.0  # the longest that one thing on the page may take
# Whatever asks for another machine is told that there is none.
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
STEPS = 12


@contextmanager
def served(runs, port=0):
    """The app as a process, and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "app", "--no-browser", f"--port={port}"],
        cwd=paths.ROOT,
        env={**os.environ, "HUB_RUNS": str(runs)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        yield process, re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+", line)[0]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_for(page, script, what, patience_s=PATIENCE_S):
    """Wait until a page is complete and a script is true; one that is being replaced is neither.

    Before that its own script may not listen yet, and a press would do nothing.
    """
    script = f"document.readyState === 'complete' && ({script})"
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        page.count += 1
        page.socket.send(
            f'{{"id": {page.count}, "method": "Runtime.evaluate", "params": '
            f'{{"expression": {quoted(script)}, "returnByValue": true}}}}'
        )
        while (message := json.loads(page.socket.recv())).get("id") != page.count:
            page.events.append(message)
        if message.get("result", {}).get("result", {}).get("value"):
            return
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come: {page.run('document.body.innerText')[:2000]}")


def quoted(script):
    return json.dumps(script)


def says(page, text, patience_s=PATIENCE_S):
    wait_for(page, f"document.body?.innerText.includes({quoted(text)})", text, patience_s)


def press(page, text, patience_s=20):
    """Press the button or follow the link with this text."""
    find = (
        "[...document.querySelectorAll('button, a, summary')]"
        f".find(b => b.innerText.trim() === {quoted(text)})"
    )
    wait_for(page, find + " !== undefined", f"the button {text}", patience_s)
    page.run(f"{find}.click()")


def fill(page, **values):
    for name, value in values.items():
        wait_for(page, f"document.getElementById({quoted(name)}) !== null", f"the field {name}")
        page.run(f"document.getElementById({quoted(name)}).value = {quoted(value)}")


def drop(page, files):
    """Drop files as a hand does: on the field, from outside the browser."""
    box = page.run(
        "(() => { const b = document.getElementById('drop').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, x=box[0], y=box[1], data=data)


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
    press(page, "Check first: what would it do?")
    says(page, f"{STEPS} steps of 4 pictures")
    says(page, "nox -s train -- Example1")
    press(page, "Start the training")
    says(page, f"of {STEPS}, loss")
    page.call("Page.reload")
    says(page, f"of {STEPS}, loss")
    press(page, "Stop")
    says(page, "Go on")
    press(page, "Go on")
    running = "document.getElementById('live')?.dataset.state === 'running'"
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
    press(page, "3 Trainings")
    press(page, "Example1 on my-robots")
    press(page, "Write the file")
    press(page, "Download Example1.safetensors", PATIENCE_S)
    file = kept / "Example1.safetensors"
    deadline = time.monotonic() + 30
    while not file.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    return file


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
