"""Pinned icon packages: find or fetch the tarball, check its hash, read its icons."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TABLE: Final = Path(__file__).with_name("packages.toml")


class PackageError(RuntimeError):
    """A package is missing or is not the pinned one; the message says how to get it."""


@dataclass(frozen=True)
class Package:
    """One table of ``packages.toml``."""

    key: str
    name: str
    version: str
    sha256: str
    licence: str
    author: str

    @property
    def filename(self) -> str:
        """File name that ``npm pack`` gives the tarball."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


def read_packages(table: Path = TABLE) -> dict[str, Package]:
    """Read the pinned packages by key."""
    with table.open("rb") as stream:
        return {key: Package(key=key, **fields) for key, fields in tomllib.load(stream).items()}


def tarball(package: Package, folder: Path) -> Path:
    """Return the package's tarball from `folder`, fetching it with npm when it is not there.

    Args:
        package: What to find.
        folder: Where tarballs lie; made when missing.

    Returns:
        Path of a file whose hash is the pinned one.

    Raises:
        PackageError: npm is missing or fails, or the file is not the pinned one.
    """
    path = folder / package.filename
    if not path.exists():
        _npm_pack(package, folder)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise PackageError(
            f"{path} is not the pinned {package.name}@{package.version}:\n"
            f"  expected sha256 {package.sha256}\n  found    sha256 {found}\n"
            f"  Fix: delete the file and run again, or correct {TABLE.name}."
        )
    return path


def _npm_pack(package: Package, folder: Path) -> None:
    """Fetch one tarball; ``npm pack`` only downloads, it runs no script of the package."""
    npm = shutil.which("npm")
    fix = f"Fix: install Node.js, or pass a folder with {package.filename} as --packages DIR."
    if npm is None:
        raise PackageError(f"npm is not installed, so {package.name} can not be fetched.\n  {fix}")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = f"{package.name}@{package.version}"
    done = subprocess.run(  # noqa: S603 - npm by full path, arguments from our own table
        [npm, "pack", "--silent", wanted], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not (folder / package.filename).exists():
        raise PackageError(f"`npm pack {wanted}` failed:\n{done.stderr.strip()}\n  {fix}")


@dataclass(frozen=True)
class IconSet:
    """The icons of one package: ``icons.json`` and the categories of ``metadata.json``."""

    key: str
    icons: dict[str, Any]
    categories: dict[str, list[str]]

    def svg(self, name: str, ink: str = "#ffffff") -> str:
        """Return one icon as an SVG document.

        Args:
            name: Icon name.
            ink: Colour for one-colour sets, which draw in ``currentColor``.
        """
        icon = self.icons["icons"][name]
        width = icon.get("width", self.icons.get("width", 16))
        height = icon.get("height", self.icons.get("height", 16))
        box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{box}">{icon["body"].replace("currentColor", ink)}</svg>'
        )


def read_icon_set(package: Package, folder: Path) -> IconSet:
    """Read a package's icons out of its tarball without unpacking it."""
    with tarfile.open(tarball(package, folder)) as archive:
        icons = _read_json(archive, "icons.json")
        metadata = _read_json(archive, "metadata.json")
    return IconSet(key=package.key, icons=icons, categories=metadata.get("categories", {}))


def _read_json(archive: tarfile.TarFile, name: str) -> dict[str, Any]:
    stream = archive.extractfile(f"package/{name}")
    if stream is None:
        raise PackageError(f"{archive.name!r} has no {name}.\n  Fix: delete it and run again.")
    content: dict[str, Any] = json.load(stream)
    return content
