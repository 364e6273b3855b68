"""A headless Chromium, driven through its DevTools protocol: a real browser, no mock."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE_S = 60.0


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = websocket.create_connection(address, timeout=PATIENCE_S, suppress_origin=True)
        self.count = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its answer; events that come meanwhile are kept."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.count:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def another(self) -> Page:
        """Open a second window, which shares cookies with this one."""
        made = self.call("Target.createTarget", url="about:blank", newWindow=True)
        return Page(f"{self.address.rpartition('/')[0]}/{made['targetId']}")

    def close(self) -> None:
        """Close the window."""
        self.call("Page.close")
        self.socket.close()

    def open(self, address: str) -> float:
        """Open an address; return the milliseconds from its start until it was drawn."""
        self.events.clear()
        if "loaderId" not in self.call("Page.navigate", url=address):
            self.call("Page.reload")  # only the part after # was another, which loads nothing
        deadline = time.monotonic() + PATIENCE_S
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            assert time.monotonic() < deadline, "the page did not load"
            self.events.append(json.loads(self.socket.recv()))
        # Two frames later everything that `load` set off is on the screen.
        self.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
        return float(self.run("performance.now()"))

    def run(self, script: str) -> Any:
        """Evaluate JavaScript, await a promise, and return the value."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def await_title(self, title: str) -> None:
        """Wait until the tab shows a page of this title: a click may have led elsewhere."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.count += 1
            question = {"expression": "document.title", "returnByValue": True}
            call = {"id": self.count, "method": "Runtime.evaluate", "params": question}
            self.socket.send(json.dumps(call))
            while (message := json.loads(self.socket.recv())).get("id") != self.count:
                self.events.append(message)
            if message.get("result", {}).get("result", {}).get("value") == title:
                return
            time.sleep(0.05)
        raise AssertionError(f"no page called {title!r} came")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release one key."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def show(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Set the size of the window, and light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = "dark" if dark else "light"
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Save what is seen, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console, exceptions, and requests that failed."""
        self.run("0")  # whatever was on its way has arrived after an answer
        found = []
        for event in self.events:
            method, given = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(str(given["exceptionDetails"]))
            elif method == "Log.entryAdded" and given["entry"]["level"] in {"error", "warning"}:
                found.append(given["entry"]["text"])
            elif method == "Runtime.consoleAPICalled" and given["type"] in {"error", "warning"}:
                found.append(str(given["args"]))
            elif method == "Network.loadingFailed" and not given.get("canceled"):
                found.append(f"{given.get('errorText')} {given.get('blockedReason', '')}")
        return found

    def requests(self) -> list[str]:
        """Return the address of every request since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]


@contextmanager
def browser(folder: Path, *more: str) -> Iterator[Page]:
    """Start a Chromium with a profile in ``folder`` and yield its tab; end it afterwards.

    ``more`` are further options of its command line.
    """
    program = find_browser()
    assert program is not None
    profile = folder / "profile"
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
        "--no-first-run", "--disable-extensions", "--disable-dev-shm-usage",
        "--disable-background-networking", f"--user-data-dir={profile}", *more, "about:blank",
    ]  # fmt: skip
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *options],
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )
    try:
        port = wait_for_port(profile / "DevToolsActivePort", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            tabs = json.load(answer)
        page = Page(next(t["webSocketDebuggerUrl"] for t in tabs if t["type"] == "page"))
        yield page
        page.socket.close()
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def wait_for_port(file: Path, process: subprocess.Popen[bytes]) -> int:
    """Wait until the browser says on which port it listens."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if file.is_file() and (text := file.read_text(encoding="utf-8")).count("\n"):
            return int(text.splitlines()[0])
        assert process.poll() is None, "the browser ended at once"
        time.sleep(0.05)
    raise AssertionError("the browser did not open its port")
