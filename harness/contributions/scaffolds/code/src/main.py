"""The front door of $name: the hub imports this file and finds the hooks in it.

Import each hook that contribution.toml lists. Files in this folder import each other with a dot,
`from .lora import ...`: without the dot, Python might find another lora.py.
"""

from .lora import make_lora

__all__ = ["make_lora"]

if __name__ == "__main__":
    print("This folder is run by the hub: nox -s contribution -- $name")
