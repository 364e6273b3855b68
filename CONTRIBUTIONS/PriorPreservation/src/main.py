"""PriorPreservation: start reading here, then `train.py`."""

from .train import train

__all__ = ["train"]

if __name__ == "__main__":
    print("This folder is run by the hub: nox -s contribution -- PriorPreservation")
