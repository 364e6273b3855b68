"""The static check: rules over files and syntax trees that run none of a contribution's code."""

from harness.check.run import check_folder, check_many, fix_folder

__all__ = ["check_folder", "check_many", "fix_folder"]
