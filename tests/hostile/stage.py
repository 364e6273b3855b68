"""Put a hostile contribution on stage, run it, and look at everything it could have touched."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness import paths
from harness.contributions.record import Contribution, ContributionFile
from harness.contributions.registry import load_reference
from harness.sandbox.child import Child, run_children
from harness.sandbox.files import LOG_FILE
from harness.sandbox.limits import default_limits
from harness.worker.jobs import Answer, TrainJob
from tests.hostile.attacks import PRELUDE, Attack

TOKEN = "HUB_HOSTILE_TOKEN"
WALL_S = 60


class Silent:
    """A progress that shows nothing."""

    def update(self, label, done, text): ...

    def finish(self, label, *, ok): ...


@dataclass(frozen=True)
class Report:
    """What happened.

    Args:
        ending: Status and kind of error.
        said: The error's sentence.
        possible: What the attack could do that it must not; empty when it was contained.
        log: What it printed, as the hub shows it.
    """

    ending: str
    said: str
    possible: tuple[str, ...]
    log: tuple[str, ...]


@contextmanager
def listeners(folder: Path, canary: str) -> Iterator[int]:
    """Listen as another program of the machine would: TCP, a socket file, an abstract socket."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as file:
        file.bind(str(folder / "socket"))
        file.listen()
        with socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind(f"\0{canary}")
            abstract.listen()
            yield tcp.getsockname()[1]


def run_attack(name: str, attack: Attack, layer: str | None, folder: Path) -> Report:
    """Run one attack on a layer in an empty folder of the test's own."""
    canary = f"canary{secrets.token_hex(8)}"
    secret = f"secret{secrets.token_hex(8)}"
    (folder / "secret").write_text(secret, encoding="ascii")
    stage = paths.RUNS / "hostile" / f"p{os.getpid()}"
    home = Path("~").expanduser()
    os.environ[TOKEN] = secret
    try:
        with listeners(folder, canary) as port:
            words = {
                "SECRET": folder / "secret",
                "SOCKET": folder / "socket",
                "HOME": home,
                "ROOT": paths.ROOT,
                "HUB": os.getpid(),
                "RUN": folder / "run" / "out",
                "TOKEN": TOKEN,
                "CANARY": canary,
                "PORT": port,
                "DISK": a_disk(),
            }
            contribution = write_attack(name, attack, stage, words)
            outcome, out = play(contribution, attack, layer, folder)
    finally:
        del os.environ[TOKEN]
        shutil.rmtree(stage)
    told = outcome.error
    log = (out / LOG_FILE).read_text(encoding="utf-8", errors="replace")
    possible = [line[10:] for line in log.splitlines() if line.startswith("POSSIBLE: ")]
    if secret in log or (told and secret in told.model_dump_json()):
        possible.append("a secret came out")
    hub = (paths.ROOT / "src", paths.ROOT / "harness", paths.RESULTS)
    around = (home, folder, folder / "run", Path("/tmp"), Path("/dev/shm"))
    possible += left_files((*hub, *around), canary)
    possible += left_processes(canary)
    ending = f"{outcome.status} {told.kind if told else ''}"
    said = f"{told.what}" if told else ""
    return Report(ending, said, tuple(possible), told.log_tail if told else ())


def write_attack(name: str, attack: Attack, stage: Path, words: dict[str, object]) -> Contribution:
    """Write the contribution's folder inside the repository, where runs lie."""
    code = attack.code
    for word, value in words.items():
        code = code.replace(f"@{word}@", str(value))
    source = stage / name / "src"
    source.mkdir(parents=True)
    (source / "main.py").write_text(PRELUDE + code, encoding="utf-8")
    return contribution_in(stage / name, "A hostile thing.", attack.hooks)


def contribution_in(folder: Path, summary: str, hooks: tuple[str, ...]) -> Contribution:
    """Return a contribution of the tests' own, by its folder inside the repository."""
    relative = folder.relative_to(paths.ROOT)
    return Contribution(
        file=ContributionFile(
            name=folder.name, authors=("the tests",), summary=summary, hooks=hooks
        ),
        path=relative.as_posix(),
        module=".".join((*relative.parts, "src", "main")),
        content_hash="sha256:0",
    )


def play(contribution: Contribution, attack: Attack, layer: str | None, folder: Path):
    """Run the worker; return how it ended and its folder."""
    out = folder / "run" / "out"
    job = TrainJob(
        contribution=contribution,
        reference=load_reference(),
        base_model=str(paths.ROOT / "models" / "tiny-sd"),
        out=out,
        data_dir=paths.ROOT / "tracks" / "robot" / "train",
        resolution=64,
        steps=2,
        batch_size=1,
        seeds=(0,),
        prompts=("a robot",),
    )
    limits = default_limits(WALL_S).but(**attack.limits)
    child = Child(
        contribution.name,
        "harness.worker.main",
        job,
        out,
        WALL_S,
        Answer.model_validate_json,
        limits=limits,
        isolation=layer,
    )
    run_children([child], Silent())
    return child.ended(), out


def left_files(places: tuple[Path, ...], canary: str) -> list[str]:
    """Find, and remove, files that the attack left outside its folder."""
    found = []
    for place in places:
        path = place / canary
        if path.exists():
            found.append(f"left a file in {place}")
            path.unlink()
    return found


def left_processes(canary: str) -> list[str]:
    """Find, and end, processes that the attack left, zombies included."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if canary in str(process.info["cmdline"]):
            found.append("left a process")
            with suppress(psutil.Error):
                process.kill()
    return found


def a_disk() -> str:
    """Return a disk's device, as far as there is one."""
    names = ("/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/mem")
    return next((name for name in names if Path(name).exists()), "/dev/mem")
