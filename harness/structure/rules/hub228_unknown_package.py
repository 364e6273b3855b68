"""HUB228: a package that nobody else has installed."""

from __future__ import annotations

from collections.abc import Iterator

from harness import paths
from harness.contribution_file import suggestion
from harness.structure import packages
from harness.structure.folder import Folder
from harness.structure.problem import Problem, Severity
from harness.structure.rules.hub221_bare_sibling_import import is_sibling

ID = "HUB228"
TITLE = "A package is neither in the hub's lock nor declared"
SEVERITY: Severity = "error"
FIXABLE = False

# Other rules speak about these.
_OWN = frozenset({"src", "harness", "CONTRIBUTIONS", "contributions"})
# Libraries of the hub itself, free for everybody.
_LIBRARIES = frozenset(paths.LIBRARIES)


def check(folder: Folder) -> Iterator[Problem]:
    """Compare absolute imports with the standard library, the lock and the declared extras."""
    extras = packages.allowed_import_names(folder.declared_texts("dependencies"))
    if folder.declared_hooks is None:
        # Nobody knows what a contribution.toml that cannot be read declares.
        extras = packages.allowed_import_names(tuple(packages.ALLOWED))
    for module in folder.modules.values():
        for item in module.imports:
            # `try: import xformers` / `except ImportError` and typing-only imports hurt nobody.
            if item.context.optional or item.context.typing_only:
                continue
            for name in item.modules:
                top = name.partition(".")[0]
                if top in _OWN | _LIBRARIES or top in extras or packages.is_available(top):
                    continue
                if not is_sibling(folder, module.package, top):
                    yield Problem(
                        f"The package {top!r} is not installed in the hub.",
                        _fix(folder, top),
                        module.path,
                        item.node.lineno,
                    )


def _fix(folder: Folder, top: str) -> str:
    pin = packages.extra_that_provides(top)
    if pin:
        return f'Declare it in contribution.toml: dependencies = ["{pin}"]'
    own = tuple(m.parts[-1] for m in folder.modules.values() if m.parts and not m.is_package)
    near = suggestion(top, own)
    if near.startswith("Did"):
        return f"{near} That is your own file: from .{near.split(chr(39))[1]} import ..."
    return "Do without it, or wrap it in try/except ImportError, or propose it in an issue."
