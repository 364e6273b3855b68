"""What the first bytes of a file say: safetensors or pickle, whatever the file is called.

A safetensors file begins with the length of its header, eight bytes of any value: one length in
about 13,000 begins with the two bytes that a pickle begins with. So the bytes behind it decide.
"""

from __future__ import annotations

from typing import Final

LENGTH_BYTES: Final = 8
# A zip archive (torch.save since 1.6) or a bare pickle of protocol 2 to 5 (before).
PICKLE_STARTS: Final = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def is_safetensors(data: bytes, size: int | None = None) -> bool:
    """Tell whether the bytes begin as a safetensors file does: header length, then JSON.

    No pickle does: behind its two bytes a pickle that fits the length would have zeros, which mean
    nothing there.

    Args:
        data: The file's first bytes, at least ten of them.
        size: Of the whole file, in bytes; None when ``data`` is all of it.
    """
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    total = len(data) if size is None else size
    start = data[LENGTH_BYTES : LENGTH_BYTES + 1]
    return len(data) > LENGTH_BYTES + 1 and 2 <= length <= total - LENGTH_BYTES and start == b"{"


def is_pickle(data: bytes, size: int | None = None) -> bool:
    """Tell whether the bytes begin as a pickle does and not as a safetensors file.

    Args:
        data: The file's first bytes, at least ten of them.
        size: Of the whole file, in bytes; None when ``data`` is all of it.
    """
    return data.startswith(PICKLE_STARTS) and not is_safetensors(data, size)
