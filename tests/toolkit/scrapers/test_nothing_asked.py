"""``nox -s scrape`` without a query: says what to give, and asks no machine for anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from harness import paths

# Read by every Python that the command starts: notes each name that is looked up, each connection.
WATCH = """
import os, sys
def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.connect"):
        with open(os.environ["HUB_ASKED"], "a") as log:
            log.write(f"{event} {args}\\n")
sys.addaudithook(watch)
"""
ASK = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"


def run(words, tmp_path):
    return subprocess.run(
        words,
        cwd=paths.ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "HUB_ASKED": str(tmp_path / "asked")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("nox") is None, reason="nox is not installed")
def test_the_session_alone_says_what_to_give_and_fetches_nothing(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    done = run(["nox", "-s", "scrape"], tmp_path)
    assert done.returncode != 0
    assert 'nox -s scrape -- "red panda"' in done.stderr
    assert not (tmp_path / "asked").exists()
    # The watch would have seen it.
    run([sys.executable, "-c", ASK], tmp_path)
    assert "socket.connect" in (tmp_path / "asked").read_text()


def test_options_without_a_query_fetch_nothing_either(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    out = tmp_path / "Dataset"
    words = ["-m", "src.scraping", "--count", "3", "--out", str(out)]
    done = run([sys.executable, *words], tmp_path)
    assert done.returncode == 2
    assert "say what to look for" in done.stderr
    assert not (tmp_path / "asked").exists()
    assert not out.exists()
