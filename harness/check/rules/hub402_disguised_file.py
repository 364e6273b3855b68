"""HUB402: the content is something else than the extension says."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.file_kinds import FORBIDDEN, SECRET_NAMES, kind_by_content
from harness.check.folder import Folder, is_junk
from harness.check.problem import Problem, Severity
from toolkit.core.file_starts import is_safetensors

ID = "HUB402"
TITLE = "A file is not what its extension says"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the first bytes."""
    for entry in folder.files:
        if entry.suffix in FORBIDDEN or entry.name in SECRET_NAMES or is_junk(entry.path):
            continue
        data = folder.head(entry)
        kind = kind_by_content(data)
        if kind is None and entry.suffix == ".safetensors" and not is_safetensors(data, entry.size):
            kind = "not a safetensors file"
        if kind:
            yield Problem(
                f"{entry.name!r} is {kind}, whatever its extension says.",
                "Remove it; archives, pickles and programs are not allowed under any name.",
                entry.path,
            )
