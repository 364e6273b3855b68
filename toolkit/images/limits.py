"""Limits on a picture's size and format. Plain numbers, without importing Pillow."""

from __future__ import annotations

MAX_PIXELS = 4096 * 4096
# Pictures up to this size are decoded as well (under 2 ms each); for larger ones the checksums
# and end marks of the file are compared, which finds truncation without the cost of decoding.
MAX_DECODED_PIXELS = 256 * 256
# A list, so that no decoder of a rare format is ever fed a stranger's bytes.
FORMATS = ("PNG", "JPEG", "WEBP")
MAX_TEXT_BYTES = 1 << 20
