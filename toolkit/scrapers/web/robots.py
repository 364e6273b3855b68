"""X-Robots-Tag: what a site says about one file, sent along with it.

    X-Robots-Tag: noai, noimageai
    X-Robots-Tag: googlebot: noindex, otherbot: noai

Archives are asked through their interfaces and never crawled, so no robots.txt comes into it.
"""

from __future__ import annotations

from collections.abc import Iterable

# What dataset tools honour: no training, no training on the picture, not to be listed.
REFUSALS = ("noai", "noimageai", "noindex", "noimageindex")
OUR_NAME = "sd-lora-finetuning"


def refusal(headers: Iterable[str]) -> str | None:
    """Return the directive that forbids us the picture, or None.

    Args:
        headers: Each X-Robots-Tag header by itself: a directive behind the name of a robot is for
            that robot only, until the next name or the end of the header.
    """
    for header in headers:
        addressee = "*"
        for part in header.lower().split(","):
            directive = part.strip()
            # "unavailable_after: <date>" has a colon too, but is no robot's name.
            if ":" in directive and not directive.startswith(("unavailable_after", "max-")):
                addressee, _, directive = (word.strip() for word in directive.partition(":"))
            if addressee in ("*", OUR_NAME) and directive in REFUSALS:
                return directive
    return None
