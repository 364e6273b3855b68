"""Stop a collection in the hardest ways; the same command goes on from there."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.toolkit.scrapers.conftest import Collected, quick
from tests.toolkit.scrapers.server import picture_bytes

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def started():
    """Start the scraper as a process of its own; ended whatever happens to the test."""
    processes = []

    def start(archive, out, *more):
        process = subprocess.Popen(
            [sys.executable, "-m", "src.scraping", *quick(archive, out, "--count", "40", *more)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def slow_archive(archive):
    """Forty pictures, each after a moment."""
    archive.openverse([f"{archive.url}/p/{i}.jpg" for i in range(40)])
    for i in range(40):
        archive.routes[f"/p/{i}.jpg"] = partial(after_a_moment, picture_bytes(i))
    return archive


def after_a_moment(data, exchange):
    exchange.server.closing.wait(0.06)
    exchange.answer(data)


def pictures_in(out: Path) -> int:
    return len(list((out / "Images").glob("*"))) if (out / "Images").is_dir() else 0


def test_after_a_kill_no_kept_picture_is_downloaded_again(started, slow_archive, scrape, tmp_path):
    out = tmp_path / "out"
    process = started(slow_archive, out)
    wait_until(lambda: pictures_in(out) >= 12)
    process.kill()
    process.communicate()
    kept = {s["url"] for s in Collected(out).lines("sources.jsonl") if s["status"] == "kept"}
    assert 10 <= len(kept) < 40
    before = slow_archive.asked("/p/")

    result = scrape("--count", "40")
    assert (result.code, len(result.folder.names)) == (0, 40)
    after = slow_archive.asked("/p/")
    for url in kept:
        path = url.removeprefix(slow_archive.url)
        assert after[path] == before[path] == 1
    # In flight when it was killed: at most as many as there are workers and waiting results.
    assert sum(after.values()) <= 40 + 16
    assert len(result.folder.captions) == len(result.folder.lines("metadata.jsonl")) == 40
    assert not list(out.rglob("*.part"))


def test_ctrl_c_ends_at_once_with_whole_files(started, slow_archive, tmp_path):
    out = tmp_path / "out"
    process = started(slow_archive, out)
    wait_until(lambda: pictures_in(out) >= 4)
    asked_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=300)
    assert time.monotonic() - asked_at < 15
    assert process.returncode == 130
    assert "the same command goes on from here" in errors
    assert "Traceback" not in errors
    folder = Collected(out)
    assert len(folder.lines("metadata.jsonl")) == len(folder.names) >= 4
    assert {s["status"] for s in folder.lines("sources.jsonl")} == {"kept"}
    assert f"{len(folder.names)} of 40 pictures" in output


def test_ctrl_c_does_not_wait_for_a_host_that_stalls(started, archive, tmp_path):
    urls = archive.pictures(1)
    archive.routes["/stalls.jpg"] = lambda exchange: archive.closing.wait(30)
    archive.openverse([*urls, archive.url + "/stalls.jpg"])
    process = started(archive, tmp_path / "out", "--timeout", "30", "--deadline", "30")
    wait_until(lambda: archive.asked()["/stalls.jpg"] and pictures_in(tmp_path / "out"))
    asked_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert time.monotonic() - asked_at < 15, "it waited for the host"
    assert process.returncode == 130


def test_what_a_kill_left_between_journal_and_picture_is_cleared(archive, scrape, tmp_path):
    archive.openverse(archive.pictures(3))
    assert scrape().code == 0
    out = tmp_path / "out"
    journal = out / "sources.jsonl"
    lines = journal.read_text().splitlines()
    name = Collected(out).names[0]
    line = next(line for line in lines if name in line)
    others = [other for other in lines if other is not line]
    # As if killed right after the picture was moved, with the next line half written.
    torn = line.replace('"kept"', '"writing"') + '\n{"status":"kept","ur'
    journal.write_text("\n".join([*others, torn]))
    (out / ".scraping").mkdir()
    (out / ".scraping" / "7.part").write_bytes(b"half a picture")
    result = scrape()
    assert result.code == 0
    assert name in result.folder.names
    assert [s["status"] for s in result.folder.lines("sources.jsonl")] == ["kept"] * 3
    assert sorted(archive.asked("/p/").values()) == [1, 1, 2]
    assert not (out / ".scraping").exists()


def test_a_second_run_asks_for_no_picture_again(archive, scrape):
    urls = archive.pictures(2)
    archive.openverse([*urls, archive.url + "/missing.jpg", urls[0]])
    assert scrape().code == 0
    before = archive.asked()
    assert scrape().code == 0
    after = archive.asked()
    assert {path for path in after if after[path] != before[path]} == {"/images/"}
    # Until somebody asks for it.
    assert scrape("--retry-dropped").code == 0
    assert archive.asked()["/missing.jpg"] == 2


def test_edited_captions_and_deleted_pictures_stay_as_they_are(archive, scrape):
    archive.openverse(archive.pictures(3))
    folder = scrape().folder
    edited, deleted = folder.names[0], folder.names[1]
    stem = edited.removesuffix(".jpg")
    (folder.path / "ImageCaptions" / f"{stem}.txt").write_text("my own words\n")
    (folder.path / "Images" / deleted).unlink()
    (folder.path / "ImageCaptions" / deleted.replace(".jpg", ".txt")).unlink()
    folder = scrape().folder
    assert folder.captions[stem] == "my own words\n"
    assert deleted not in folder.names
    texts = {line["file_name"]: line["text"] for line in folder.lines("metadata.jsonl")}
    assert texts[f"Images/{edited}"] == "my own words"
    assert f"Images/{deleted}" not in texts
    assert deleted not in (folder.path / "ATTRIBUTION.md").read_text()


def test_two_queries_share_a_folder(archive, scrape, tmp_path):
    archive.openverse(archive.pictures(3))
    assert scrape("--count", "2").code == 0
    from src.scraping import main

    arguments = quick(archive, tmp_path / "out", "--count", "1")
    assert main(["another query", *arguments[1:]]) == 0
    folder = Collected(tmp_path / "out")
    assert [s["query"] for s in folder.lines("sources.jsonl")] == ["red panda"] * 2 + [
        "another query"
    ]


def test_only_one_run_at_a_time_works_on_a_folder(started, archive, scrape, tmp_path):
    archive.openverse([f"{archive.url}/stalls.jpg"])
    archive.routes["/stalls.jpg"] = lambda exchange: archive.closing.wait(30)
    process = started(archive, tmp_path / "out", "--timeout", "30", "--deadline", "30")
    wait_until(lambda: archive.asked()["/stalls.jpg"])
    result = scrape()
    assert result.code == 1
    assert "Another run is collecting into this folder" in result.err
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)


def test_a_damaged_journal_is_named_by_its_line(archive, scrape, tmp_path):
    archive.openverse(archive.pictures(2))
    assert scrape().code == 0
    journal = tmp_path / "out" / "sources.jsonl"
    before = journal.read_text()
    journal.write_text(before.replace('"status":"kept"', '"status":"eaten"', 1))
    result = scrape()
    assert result.code == 1
    assert f"{journal}:1" in result.err
    assert "status" in result.err
    assert journal.read_text() != before  # untouched, for a person to mend


def test_a_full_disk_is_an_error_and_not_a_traceback(archive, tmp_path):
    archive.openverse(archive.pictures(2, size=(400, 400)))
    limits = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    code = f"import sys; {limits}; from src.scraping import main; sys.exit(main())"
    process = subprocess.run(
        [sys.executable, "-c", code, *quick(archive, tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 1
    assert "error: " in process.stderr
    assert "File too large" in process.stderr
    assert "Traceback" not in process.stderr
