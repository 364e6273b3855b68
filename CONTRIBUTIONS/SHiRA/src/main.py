"""SHiRA: start reading here, then `lora.py`."""

from .lora import make_lora

__all__ = ["make_lora"]

if __name__ == "__main__":
    print("This folder is run by the hub: nox -s contribution -- SHiRA")
