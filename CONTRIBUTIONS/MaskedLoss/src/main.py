"""MaskedLoss: start reading here, then `dataset.py` and `train.py`."""

from .dataset import make_dataset
from .train import train

__all__ = ["make_dataset", "train"]

if __name__ == "__main__":
    print("This folder is run by the hub: nox -s contribution -- MaskedLoss")
