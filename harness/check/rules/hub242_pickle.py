"""HUB242: loading a pickle runs whatever its author wanted."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB242"
TITLE = "A pickle is loaded"
SEVERITY: Severity = "error"
FIXABLE = False

_LIBRARIES = ("pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "jsonpickle")
_LOADS = frozenset(
    {f"{library}.{name}" for library in _LIBRARIES for name in ("load", "loads", "Unpickler")}
    | {"shelve.open", "pandas.read_pickle", "jsonpickle.decode"}
)


def check(folder: Folder) -> Iterator[Problem]:
    """Look for the loading functions; writing a pickle is harmless."""
    for module in folder.modules.values():
        for name, call in module.calls:
            if name in _LOADS:
                yield Problem(
                    f"{name}() can run any code that is hidden in the file.",
                    "Use safetensors for tensors, and JSON or TOML for the rest.",
                    module.path,
                    call.lineno,
                )
