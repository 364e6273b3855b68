"""The environment variables of a child, built from an allow-list."""

from __future__ import annotations

import os
from pathlib import Path

# What a child inherits. No token, key or proxy setting of the user is on this list.
INHERITED = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")


def child_environment(out: Path, threads: str) -> dict[str, str]:
    """Build the environment of a child from an allow-list."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {
        "HOME": str(out / "tmp"),
        "USERPROFILE": str(out / "tmp"),
        "TMPDIR": str(out / "tmp"),
        "TEMP": str(out / "tmp"),
        "TMP": str(out / "tmp"),
        "LOGNAME": "hub",  # or torch asks the password file, which is not there
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DIFFUSERS_VERBOSITY": "error",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
    }
