"""What a contribution trained leaves the hub: as a file that other programs load.

source.py   which files a training left, and on which base
change.py   what it changed in the base, by layer; what no LoRA holds
plain.py    the very factors, where the adapter is a plain LoRA
shrink.py   otherwise: singular values, the rank that an error asks for, factors
proof.py    the written file, loaded by the library it is for, draws the same
writing.py  the formats

No contribution's code runs here: everything is read from safetensors files.
"""

from typing import Final

# What the smallest rank may leave out: ||left out|| / ||change||.
DEFAULT_ERROR: Final = 0.05
