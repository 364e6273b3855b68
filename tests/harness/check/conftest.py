"""Contribution folders to break: a clean one, or one with a fixture's files laid over it."""

from __future__ import annotations

import io
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness.check import check_folder
from harness.errors import Finding

FIXTURES = Path(__file__).parents[2] / "fixtures" / "check"


def clean(root: Path, kind: str = "clean_code", name: str | None = None) -> Path:
    folder = root / "CONTRIBUTIONS" / (name or "Clean")
    shutil.copytree(FIXTURES / kind, folder)
    return folder


def broken(root: Path, fixture: Path) -> tuple[Path, dict[str, Any]]:
    expected = tomllib.loads((fixture / "expect.toml").read_text(encoding="utf-8"))
    folder = clean(root, name=expected.get("name"))
    for path in expected.get("remove", ()):
        target = folder / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()
    if (fixture / "folder").is_dir():
        shutil.copytree(fixture / "folder", folder, dirs_exist_ok=True)
    return folder, expected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clean code contribution named Clean."""
    return clean(tmp_path)


@pytest.fixture
def look(tmp_path: Path) -> Callable[[Path], list[Finding]]:
    """Check a folder below tmp_path."""
    return lambda path: check_folder(path, root=tmp_path)


@pytest.fixture
def picture_bytes() -> Callable[..., bytes]:
    """Encode a picture with some texture in it."""

    def encode(size: tuple[int, int] = (64, 64), mode: str = "RGB", kind: str = "PNG") -> bytes:
        image = Image.radial_gradient("L").resize(size)
        image = Image.new(mode, size) if mode.startswith("I") else image.convert(mode)
        buffer = io.BytesIO()
        image.save(buffer, kind)
        return buffer.getvalue()

    return encode


@pytest.fixture
def lay_over(tmp_path: Path) -> Callable[[Path], tuple[Path, dict[str, Any]]]:
    """Lay a fixture over the clean contribution; return the folder and what to expect."""
    return lambda fixture: broken(tmp_path, fixture)


@pytest.fixture
def copy_clean(tmp_path: Path) -> Callable[..., Path]:
    """Copy a clean contribution of a kind, under a name."""
    return lambda kind="clean_code", name=None: clean(tmp_path, kind, name)
