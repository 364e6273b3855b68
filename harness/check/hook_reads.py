"""Which arguments a contribution's own hook takes: found in its source, without running it."""

from __future__ import annotations

from pathlib import Path

from harness import paths
from harness.check.folder import Folder
from toolkit.core.settings import HookName


def takes(folder: Path, hook: HookName, parameter: str) -> bool:
    """Tell whether a hook asks for one of its arguments; what cannot be found is taken to.

    Args:
        folder: The contribution's.
        hook: One that it declares.
        parameter: A name of the contract.
    """
    marked = Folder(folder.absolute(), paths.ROOT).hooks.shown.get(hook)
    if marked is None:
        return True  # the check has said what is wrong there
    arguments = marked.function.args
    return parameter in {one.arg for one in (*arguments.posonlyargs, *arguments.args)}
