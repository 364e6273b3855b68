"""The static check: rules over files and syntax trees that run none of a contribution's code.

``harness.contributions.file`` uses this package's TOML scanner, and the rules use
``contribution_file``: so the three functions are loaded on first use (PEP 562).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.check.run import check_folder, check_many, fix_folder

__all__ = ["check_folder", "check_many", "fix_folder"]


def __getattr__(name: str) -> Any:
    """Load the public functions on first use."""
    if name in __all__:
        from harness.check import run

        return getattr(run, name)
    raise AttributeError(f"module 'harness.check' has no attribute {name!r}")
