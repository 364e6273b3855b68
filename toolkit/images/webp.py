"""Encode a contact sheet as WebP of a bounded size.

Hundreds of them lie in the repository and on the board's pages. Pictures of noise, such as a random
adapter draws, take most room and lose least by a lower quality.
"""

from __future__ import annotations

import io

from PIL import Image

MAX_STORED_BYTES = 50_000
QUALITIES = range(80, 0, -10)  # WebP's scale, 0 to 100; best first


def encoded(sheet: Image.Image) -> bytes:
    """Return a sheet in the best quality that fits, or in the lowest when none does.

    Args:
        sheet: RGB, as ``comparison_sheet`` draws it.
    """
    data = b""
    for quality in QUALITIES:
        buffer = io.BytesIO()
        sheet.save(buffer, "WEBP", quality=quality, method=6)
        data = buffer.getvalue()
        if len(data) <= MAX_STORED_BYTES:
            break
    return data
