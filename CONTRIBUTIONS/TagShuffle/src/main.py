"""TagShuffle: start reading here, then `dataset.py`."""

from .dataset import make_dataset

__all__ = ["make_dataset"]

if __name__ == "__main__":
    print("This folder is run by the hub: nox -s contribution -- TagShuffle")
