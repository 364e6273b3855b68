"""Collect pictures from the web: this arrives with a later part of the project."""

from __future__ import annotations

import sys


def main() -> int:
    """Say that there is nothing to run yet and what to do meanwhile."""
    print(
        "Image scraping is not part of this version (the Bing image search API that the project "
        "first planned to use was retired on 2025-08-11); put your pictures into Images/ and one "
        "caption each, as <same name>.txt, into ImageCaptions/ instead.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
