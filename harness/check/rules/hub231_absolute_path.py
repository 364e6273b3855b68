"""HUB231: a path that exists on one machine only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.path_texts import path_texts
from harness.check.problem import Problem, Severity

ID = "HUB231"
TITLE = "An absolute path is written in the code"
SEVERITY: Severity = "error"
FIXABLE = False

# Anywhere: the usual first folders, drives (C:\data, C:/data), \\server\share, ~/data.
_SURE = re.compile(
    r"/(?:home|Users|root|content|kaggle|mnt|media|tmp|var|opt|usr|etc|srv|data|workspace|Volumes)"
    r"/[^\s:*?\"<>|()\[\]{}^$]+"
    r"|[A-Za-z]:[\\/](?![\\/])[\w .-]{2,}.*"
    r"|\\\\[A-Za-z][\w.-]+\\[\w.$-]+.*"
    r"|~[\w-]*[\\/][\w.-]+.*"
)
# In open(...), Path(...) and the like any rooted path is one; "/" alone is a root, not a path.
_AS_ARGUMENT = re.compile(r"/[\w.-][^\n]*")


def check(folder: Folder) -> Iterator[Problem]:
    """Look at texts in the code, not at docstrings, regular expressions or URLs."""
    for module in folder.modules.values():
        for found in path_texts(module):
            if _SURE.fullmatch(found.value) or (
                found.is_path_argument and _AS_ARGUMENT.fullmatch(found.value)
            ):
                shown = found.value if len(found.value) <= 60 else f"{found.value[:57]}..."
                yield Problem(
                    f"The path {shown!r} exists on your machine only.",
                    "Use the hook's arguments (data_dir), or Path(__file__).parent / 'file'.",
                    module.path,
                    found.line,
                )
