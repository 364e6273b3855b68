"""Files stay whole whatever happens to the disk or the process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.commands import cli
from toolkit.core import atomic

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX system")

WRITE_MUCH = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from toolkit.core import atomic
atomic.write_text(Path(sys.argv[2]), "new" * 100_000)
"""


def write_much(path, before=""):
    program = before + WRITE_MUCH
    return subprocess.run(
        [sys.executable, "-c", program, str(Path.cwd()), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "deep" / "file"
    atomic.write_text(path, "old\n")
    atomic.write_bytes(path, b"new\n")
    assert path.read_bytes() == b"new\n"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@POSIX
def test_a_disk_that_takes_no_more_leaves_the_old_file(tmp_path):
    (tmp_path / "file").write_text("old")
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    done = write_much(tmp_path / "file", before=limit)
    assert "File too large" in done.stderr
    assert (tmp_path / "file").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@POSIX
def test_a_full_disk_leaves_the_old_file(tmp_path):
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not here")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k none {disk} && echo old > {disk}/file && "
        f"{sys.executable} -c '{WRITE_MUCH}' {Path.cwd()} {disk}/file; "
        f"cat {disk}/file; ls -A {disk}"
    )
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("no mounts for ordinary users here")
    assert "No space left" in done.stderr
    assert done.stdout.split() == ["old", "file"]


@POSIX
def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    program = WRITE_MUCH.replace("atomic.write", "while True: atomic.write")
    path = tmp_path / "file"
    for moment in (0.0, 0.003, 0.01, 0.03):
        writer = subprocess.Popen([sys.executable, "-c", program, str(Path.cwd()), str(path)])
        while not path.exists():
            assert writer.poll() is None
        time.sleep(moment)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert path.read_text() == "new" * 100_000


def test_a_machine_that_refuses_to_write_is_told_in_a_sentence(monkeypatch, capsys):
    from harness.commands import clean

    def full(args):
        raise OSError(28, "No space left on device", "runs/row.json")

    monkeypatch.setattr(clean, "run", full)
    assert cli.main(["clean"]) == 1
    told = capsys.readouterr().err
    assert "No space left on device" in told
    assert "runs/row.json" in told
    assert "nox -s clean" in told


def test_a_fault_of_the_hub_itself_is_not_hidden(monkeypatch):
    from harness.commands import clean

    def broken(args):
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(clean, "run", broken)
    with pytest.raises(FileNotFoundError):
        cli.main(["clean"])
