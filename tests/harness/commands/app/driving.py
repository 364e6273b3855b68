"""The app in a process, and a real Chromium that does what a person does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness import paths
from tests.harness.board.browser import Page, find_browser

IN_A_BROWSER = [
    pytest.mark.needs("starlette", "uvicorn", "multipart"),
    pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed"),
]
PATIENCE_S = 300.0  # the longest that one thing on the page may take
# Whatever asks for another machine is told that there is none.
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


COMMAND = (sys.executable, "-m", "harness", "app")


@contextmanager
def served(
    runs: Path,
    port: int = 0,
    *,
    hub: Path = paths.ROOT,
    inside: Sequence[str] = (),
    command: Sequence[str] = COMMAND,
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The app as a process, and the address that it prints.

    ``hub`` is the repository it runs in, ``inside`` the words of a program that starts it.
    """
    words = [*inside, *command, "--no-browser", f"--port={port}"]
    process = subprocess.Popen(
        words,
        cwd=hub,
        env={**os.environ, "HUB_RUNS": str(runs)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+", line)
        assert found, f"the app told no address: {line!r}"
        yield process, found[0]
    finally:
        with suppress(ProcessLookupError):  # all of it, where nox started it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def wait_for(page: Page, script: str, what: str, patience_s: float = PATIENCE_S) -> None:
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


def quoted(script: str) -> str:
    return json.dumps(script)


def says(page: Page, text: str, patience_s: float = PATIENCE_S) -> None:
    wait_for(page, f"document.body?.innerText.includes({quoted(text)})", text, patience_s)


def press(page: Page, text: str, patience_s: float = 20) -> None:
    """Press the button or follow the link with this text."""
    find = (
        "[...document.querySelectorAll('button, a, summary')]"
        f".find(b => b.innerText.trim() === {quoted(text)})"
    )
    wait_for(page, find + " !== undefined", f"the button {text}", patience_s)
    page.run(f"{find}.click()")


def fill(page: Page, **values: str) -> None:
    for name, value in values.items():
        wait_for(page, f"document.getElementById({quoted(name)}) !== null", f"the field {name}")
        page.run(f"document.getElementById({quoted(name)}).value = {quoted(value)}")


def drop(page: Page, files: Iterable[Path]) -> None:
    """Drop files as a hand does: on the field, from outside the browser."""
    box = page.run(
        "(() => { const b = document.getElementById('drop').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, x=box[0], y=box[1], data=data)


def walk_to(page: Page, script: str, what: str, most: int = 250) -> None:
    """Press Tab until the element that has the focus is the one."""
    for _ in range(most):
        if page.run(f"(e => Boolean({script}))(document.activeElement)"):
            return
        page.press("Tab", 9)
    raise AssertionError(f"{what} cannot be reached with Tab")


def type_in(page: Page, words: str) -> None:
    """Type into what has the focus, in place of what is there."""
    page.run("document.activeElement.select?.()")
    page.call("Input.insertText", text=words)


def enter(page: Page) -> None:
    page.press("Enter", 13, "\r")


def is_at_rest(page: Page) -> bool:
    """Nothing turns or waits on the page."""
    return bool(page.run("document.querySelector('[data-live], progress:not([value])') === null"))
