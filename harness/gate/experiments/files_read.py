"""Which files a hook reads and writes, from what was noted while it ran."""

from __future__ import annotations

from pathlib import Path

from harness.gate.audit import Deed
from harness.gate.profile.property import Value

HANDED = "pictures"  # the name of every folder that a hook is handed
DATA = (
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".txt", ".caption"),
    *(".csv", ".json", ".jsonl", ".parquet", ".npy", ".npz", ".pt", ".pth", ".bin", ".zip"),
    *(".safetensors", ".pkl"),
)


def files(deeds: list[Deed]) -> dict[str, Value]:
    """Return what it reads beside the folder that it was handed, and asks for beside files."""
    names = [deed.what.replace("\\", "/") for deed in deeds if deed.kind == "read"]
    foreign = sorted({n.rpartition("/")[2] for n in names if is_data(n) and f"/{HANDED}/" not in n})
    others = sorted({deed.what for deed in deeds if deed.kind in ("network", "process")})
    return {
        "it reads": ", ".join(foreign[:3]) or "nothing else",
        "it asks for": ", ".join(others[:3]) or "files alone",
    }


def is_data(name: str) -> bool:
    """Tell whether a file may hold pictures, captions or weights; what is imported does not."""
    return name.lower().endswith(DATA)


def written(deeds: list[Deed]) -> str:
    """Return what is written into the folder that was handed over."""
    paths = [Path(deed.what) for deed in deeds if deed.kind == "write"]
    names = sorted({path.name for path in paths if HANDED in path.parts})
    return ", ".join(names[:3]) or "nothing"
