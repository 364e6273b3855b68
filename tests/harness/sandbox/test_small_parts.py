"""Limits, the filter's program, the tidying, locks, damaged files, clean."""

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.commands import clean
from harness.protocol.row_files import read_row, write_row
from harness.runs.folders import KEPT_RUNS, finished_row
from harness.sandbox import seccomp
from harness.sandbox.events import without_control
from harness.sandbox.limits import Limits, Usage, default_limits, exceeded, fault
from harness.sandbox.tidy import remove_tree, sweep
from tests.harness.support import example_row
from toolkit.core.damaged import set_aside
from toolkit.core.locks import Busy, held

LIMITS = Limits(wall_s=10, cpu_s=20, memory_bytes=1 << 30)

OVER = {
    "wall": (Usage(wall_s=11), "WorkerTimeout", "11 s; its time limit is 10 s"),
    "cpu": (Usage(cpu_s=21), "WorkerCpuTime", "21 s of processor time; its limit is 20 s"),
    "memory": (Usage(memory_bytes=3 << 30), "WorkerMemory", "3.0 GiB of memory; its limit is 1.0"),
    "processes": (Usage(processes=65), "WorkerProcesses", "65 processes"),
    "disk": (Usage(disk_bytes=3 << 30), "WorkerDisk", "3.0 GiB into its folder; its limit is 2.0"),
    "files": (Usage(files=20_001), "WorkerDisk", "20,001 files"),
    "output": (Usage(output_bytes=65 << 20), "WorkerOutput", "more than 64 MiB"),
}


@pytest.mark.parametrize("kind", OVER)
def test_a_limit_is_named_with_what_was_used(kind):
    usage, error_class, words = OVER[kind]
    assert exceeded(usage, LIMITS) == kind
    error, status = fault("Foo", kind, usage, LIMITS)
    assert type(error).__name__ == error_class
    assert words in error.what
    assert error.fix
    assert status in ("timeout", "oom", "limit")


def test_usual_work_is_within_the_usual_limits():
    usage = Usage(wall_s=90, cpu_s=90, memory_bytes=700 << 20, processes=3, files=50)
    assert exceeded(usage, default_limits(wall_s=600)) is None


def answer_of(program, machine, number, argument=0, architecture=None):
    """Run a filter program as the kernel would, on one system call."""
    architecture = architecture or seccomp.ARCHITECTURES[machine]
    data = struct.pack("=IIQQ", number, architecture, 0, argument)
    here, value = 0, 0
    while True:
        code, if_true, if_false, k = struct.unpack_from("=HBBI", program, here * 8)
        here += 1
        if code == seccomp.LOAD:
            value = struct.unpack_from("=I", data, k)[0]
        elif code == seccomp.RETURN:
            return k
        else:
            true = {
                seccomp.EQUAL: value == k,
                seccomp.GREATER_EQUAL: value >= k,
                seccomp.MASK_SET: bool(value & k),
            }[code]
            here += if_true if true else if_false


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_the_filter_refuses_what_it_lists_and_nothing_else(machine):
    column = list(seccomp.ARCHITECTURES).index(machine)
    program = seccomp.program(machine, unix_sockets=True, cuda=False)
    refused = [pair[column] for pair in (seccomp.REFUSED | seccomp.REFUSED_WITHOUT_CUDA).values()]
    for number in range(500):
        answer = answer_of(program, machine, number, argument=seccomp.AF_UNIX)
        if number in refused or number == seccomp.CLONE3[column]:
            assert answer & 0xFFFF0000 == seccomp.FAIL
        else:
            assert answer == seccomp.ALLOW, number
    socket, clone = seccomp.SOCKET[column], seccomp.CLONE[column]
    assert answer_of(program, machine, socket, argument=2) != seccomp.ALLOW  # AF_INET
    assert answer_of(program, machine, clone, argument=0x10000000) != seccomp.ALLOW  # a user ns
    strict = seccomp.program(machine, unix_sockets=False, cuda=True)
    assert answer_of(strict, machine, socket, argument=1) != seccomp.ALLOW
    memfd = seccomp.REFUSED_WITHOUT_CUDA["memfd_create"][column]
    assert answer_of(strict, machine, memfd) == seccomp.ALLOW


def test_another_processors_calls_end_the_process():
    program = seccomp.program("x86_64", unix_sockets=True, cuda=False)
    i386 = 0x40000003
    assert answer_of(program, "x86_64", 1, architecture=i386) == seccomp.KILL
    assert answer_of(program, "x86_64", seccomp.X32_BIT + 1) != seccomp.ALLOW


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such links and pipes")
def test_sweeping_leaves_plain_files_only(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("private")
    out = tmp_path / "out"
    (out / "closed").mkdir(parents=True)
    (out / "good.json").write_text("{}")
    (out / "log.txt").symlink_to(secret)
    os.mkfifo(out / "answer.json")
    os.link(secret, out / "own-0.png")
    (out / ".half.tmp").write_text("cut short")
    (out / "closed" / "link").symlink_to("/")
    (out / "closed").chmod(0)
    assert sweep(out) == ["answer.json", "closed/link", "log.txt", "own-0.png"]
    assert sorted(p.name for p in out.rglob("*")) == ["closed", "good.json"]
    assert secret.read_text() == "private"


def test_a_folder_nested_deeper_than_any_path_can_be_removed(tmp_path):
    program = "import os\nfor n in range(3000): os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    (tmp_path / "d" / "file").write_text("x")
    remove_tree(tmp_path / "d")
    assert not list(tmp_path.iterdir())


def test_a_lock_names_its_holder_and_ends_with_its_process(tmp_path):
    program = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path.cwd())!r})
from toolkit.core.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "run")]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(Busy, match=f"process {other.pid} on .* for 0 min"), held(tmp_path / "run"):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    with held(tmp_path / "run"):
        note = json.loads((tmp_path / "run.owner").read_text())
        assert note["process"] == os.getpid()
    assert not (tmp_path / "run.owner").exists()


def test_a_clock_that_was_set_back_does_not_matter_to_a_lock(tmp_path):
    from toolkit.core.locks import owner

    note = tmp_path / "run.owner"
    note.write_text(json.dumps({"process": 1, "machine": "m", "since": time.time() + 1e6}))
    assert "for 0 min" in owner(note)
    note.write_text("{damaged")
    assert owner(note) == "another process"


def test_damaged_files_are_kept_aside_under_new_names(tmp_path):
    for number in (1, 2):
        (tmp_path / "row.json").write_text("{")
        assert set_aside(tmp_path / "row.json").name == f"row.json.damaged-{number}"
    assert not (tmp_path / "row.json").exists()


def test_a_damaged_row_of_a_run_is_kept_aside_and_run_again(tmp_path):
    write_row(tmp_path / "row.json", example_row())
    (tmp_path / "page.html").write_text("x")
    assert finished_row(tmp_path, "sha256:bb", (0,)) == read_row(tmp_path / "row.json")
    text = (tmp_path / "row.json").read_text()
    (tmp_path / "row.json").write_text(text[: len(text) // 2])
    assert finished_row(tmp_path, "sha256:bb", (0,)) is None
    assert (tmp_path / "row.json.damaged-1").is_file()


def test_terminal_and_ci_commands_become_text():
    text = without_control("a\x1b[2J\n::set-env name=A::b\n  ::error::x\n##[group]y\r\u2028::z")
    assert "\x1b" not in text
    assert not any(line.lstrip().startswith(("::", "##[")) for line in text.splitlines())
    assert "set-env name=A" in text


def test_clean_lists_first_and_removes_only_when_told(runs, capsys):
    from types import SimpleNamespace

    def key(number):
        return f"{number:012x}"

    for number in range(KEPT_RUNS + 2):
        folder = runs / "robot" / "Foo" / key(number)
        folder.mkdir(parents=True)
        (folder / "row.json").write_text("{}")
        os.utime(folder, (number, number))
    last = key(KEPT_RUNS + 1)
    (runs / "robot" / "Foo" / last / "row.json").unlink()  # cut short
    (runs / "generated" / "Foo" / "job-999999999").mkdir(parents=True)
    with held(runs / "robot" / "Foo" / key(0)):
        assert clean.run(SimpleNamespace(yes=False, all=False)) == 0
    listed = capsys.readouterr().out
    assert "in use" in listed
    assert key(1) in listed
    assert "was interrupted" in listed
    assert (runs / "robot" / "Foo" / key(1)).is_dir()
    assert clean.run(SimpleNamespace(yes=True, all=False)) == 0
    left = sorted(p.name for p in (runs / "robot" / "Foo").iterdir() if p.is_dir())
    assert left == [key(number) for number in range(2, KEPT_RUNS + 1)]
    assert not list((runs / "generated" / "Foo").iterdir())
