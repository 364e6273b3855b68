"""GuidanceInterval: start reading here, then `generate.py`."""

from .generate import generate

__all__ = ["generate"]

if __name__ == "__main__":
    print("This folder is run by the hub: nox -s contribution -- GuidanceInterval")
