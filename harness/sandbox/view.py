"""Which files a child needs to see. Everything else stays out of sight where a layer can do that.

Left out on purpose: the user's home, ``.git``, ``.env``, other contributions, results, runs of
others, and the held-out pictures of the tracks (only the scorer's job names those).
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from harness import paths
from harness.contributions.record import Contribution

# What no child imports: packages at the top of the repository, and a room of the toolkit. All
# others are shown.
NOT_FOR_CHILDREN = ("benchmarks", "tests", "recipes")
NOT_OF_THE_TOOLKIT = ("scrapers",)

# What the dynamic loader, the C library and a processor count need; no passwords, no host names.
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/nix/store")
HARDWARE = ("/sys/devices/system",)
HARDWARE_CUDA = ("/sys",)
DEVICES_CUDA = ("nvidia*", "nvidia-caps/*", "dri/*")


@dataclass(frozen=True)
class View:
    """What a child sees.

    Args:
        system: Read-only: the operating system's libraries, and files of /etc and /sys.
        packages: Read-only: the interpreter with its packages.
        project: Read-only: parts of the repository, and what the job names.
        out: The one folder it may write to.
        devices: Device nodes it may use besides /dev/null and its kind.
    """

    system: tuple[Path, ...]
    packages: tuple[Path, ...]
    project: tuple[Path, ...]
    out: Path
    devices: tuple[Path, ...] = ()

    @property
    def readable(self) -> tuple[Path, ...]:
        """All that may be read."""
        return (*self.system, *self.packages, *self.project)


def view_of(job: BaseModel, out: Path) -> View:
    """Collect what the child of a job needs: the hub's code and every path that the job names.

    A job's fields of type Path are what it may read, its contributions' folders likewise.
    """
    cuda = str(getattr(job, "device", "cpu")).startswith("cuda")
    named = [path for path in named_paths(job) if path != out]
    return View(
        system=system_paths(cuda),
        packages=package_paths(),
        project=existing((*packages_of_the_hub(), *named)),
        out=out,
        devices=device_nodes() if cuda else (),
    )


def packages_of_the_hub() -> list[Path]:
    """Return the packages that a child may import: at the top, and the toolkit's rooms."""
    found = [file.parent for file in paths.ROOT.glob("*/__init__.py")]
    whole = [one for one in found if one.name not in NOT_FOR_CHILDREN and one != paths.TOOLKIT]
    rooms = [file.parent for file in paths.TOOLKIT.glob("*/__init__.py")]
    shown = [room for room in rooms if room.name not in NOT_OF_THE_TOOLKIT]
    return [paths.REFERENCE, *whole, paths.TOOLKIT / "__init__.py", *shown]


def named_paths(job: BaseModel) -> Iterator[Path]:
    """Yield the absolute paths and contribution folders anywhere in a job.

    ``base_model`` is text because it may also be the name of a model on a hub.
    """
    for name, value in job:
        yield from _paths_in(value)
        if name == "base_model" and isinstance(value, str) and Path(value).is_absolute():
            yield Path(value)
            yield from link_targets(Path(value))


def _paths_in(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        if value.is_absolute():
            yield value
    elif isinstance(value, Contribution):
        for one in value.folders:
            yield source_of(one)
    elif isinstance(value, BaseModel):
        yield from named_paths(value)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _paths_in(item)


def source_of(contribution: Contribution) -> Path:
    """Return the part of a contribution's folder that a child may read: its code.

    What a contribution teaches comes from the track. Its example pictures, its page and its
    settings' file, whose comments may say anything, are not for its code to read.
    """
    folder = paths.ROOT / contribution.path
    inner = folder / "src"
    return inner if inner.is_dir() else folder  # the reference's folder is its code


def link_targets(folder: Path) -> set[Path]:
    """Return the folders that symbolic links in a model folder lead to.

    A download cache keeps the files elsewhere (``blobs/``) and links to them.
    """
    links = (path for path in folder.rglob("*") if path.is_symlink())
    return {path.resolve().parent for path in links}


def system_paths(cuda: bool) -> tuple[Path, ...]:
    """Return the operating system's folders and files that Python and torch read."""
    wanted = [*SYSTEM, *(f"/etc/{name}" for name in ETC)]
    wanted += HARDWARE_CUDA if cuda else HARDWARE
    if cuda:
        wanted += ["/etc/vulkan", "/etc/OpenCL"]
    return existing(Path(path) for path in wanted)


def package_paths() -> tuple[Path, ...]:
    """Return where the interpreter, its standard library and its packages lie."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)}
    found |= {Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")}
    # A virtual environment's python is a chain of links: each step has to be there.
    step = Path(sys.executable)
    for _ in range(8):
        found.add(step.parent.parent)
        if not step.is_symlink():
            break
        step = step.parent / step.readlink()
    for part in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        if part and Path(part).is_absolute():
            found.add(Path(part))
    return existing(part for path in found for part in without_the_home(path))


def without_the_home(prefix: Path) -> tuple[Path, ...]:
    """Return what may be shown of a place that Python lies in: all of it, as a rule.

    A ``python`` in ``~/.local/bin`` or ``~/bin`` leads to ``~/.local`` or the home itself. Of these
    only what belongs to programs is shown: keyrings and private files lie beside that.
    """
    home = Path("~").expanduser()
    if prefix == Path(prefix.anchor):
        return ()
    if home.is_relative_to(prefix) or prefix == home / ".local":
        return tuple(prefix / name for name in ("bin", "lib", "lib64"))
    return (prefix,)


def device_nodes() -> tuple[Path, ...]:
    """Return the graphics card's device nodes."""
    return tuple(sorted(node for pattern in DEVICES_CUDA for node in Path("/dev").glob(pattern)))


def existing(candidates: Iterable[Path]) -> tuple[Path, ...]:
    """Return those that exist, without those below another one, parents first."""
    found = sorted({Path(os.path.normpath(path)) for path in candidates if path.exists()})
    kept: list[Path] = []
    for path in found:
        inside = any(path.is_relative_to(other) for other in kept if not other.is_symlink())
        if not inside:
            kept.append(path)
    return tuple(kept)
