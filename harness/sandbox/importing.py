"""Find packages in folders that may not be listed. Standard library only; runs in the child.

Python looks for ``CONTRIBUTIONS.Name`` by listing ``CONTRIBUTIONS/``; under Landlock the names in
there must stay hidden. The parent says which package lies in which folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType


class KnownFolders(MetaPathFinder):
    """Finds the packages of a list; everything else is left to Python."""

    def __init__(self, folders: dict[str, str]) -> None:
        self._folders = folders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a package lies, as Python itself would have found it."""
        folder = self._folders.get(fullname)
        if folder is None:
            return None
        code = f"{folder}/__init__.py"
        if os.path.isfile(code):
            return spec_from_file_location(fullname, code, submodule_search_locations=[folder])
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [folder]
        return spec


def find_in(folders: dict[str, str]) -> None:
    """Ask the list first."""
    if folders:
        sys.meta_path.insert(0, KnownFolders(folders))
