"""A Display P3 profile in code: none may be copied here, and Pillow makes only that of sRGB."""

from __future__ import annotations

import struct


def display_p3() -> bytes:
    """Return a matrix profile with Display P3's primaries (D50) and sRGB's curve as a gamma."""
    columns = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
        b"wtpt": (0.96420, 1.0, 0.82491),
    }
    numbers = struct.pack(
        ">5i", *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
    )
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + numbers
    name = b"Display P3\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {sign: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in xyz))
            for sign, xyz in columns.items()}  # fmt: skip
    tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve, b"desc": text, b"cprt": text}
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for sign, data in tags.items():
        table += sign + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = offset + len(body)
    head = struct.pack(">I4s4s4s4s4s", size, bytes(4), b"\2\x10\0\0", b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(v * 65536) for v in columns[b"wtpt"]))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
