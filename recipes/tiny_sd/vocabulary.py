"""The words the base model is taught: concepts, styles, backgrounds and sizes.

One table per kind of word, used by the captions *and* by the evaluation, so that what is measured
is exactly what was taught.
"""

from __future__ import annotations

import hashlib
from typing import Final

# sRGB, 0-255. Far apart from each other, so that a pixel can be attributed to one name without a
# model. Black is not (0, 0, 0): icons with black outlines stay visible on it.
BACKGROUNDS: Final[dict[str, tuple[int, int, int]]] = {
    "white": (255, 255, 255),
    "black": (24, 24, 24),
    "red": (214, 40, 40),
    "orange": (247, 140, 30),
    "yellow": (250, 220, 70),
    "green": (60, 160, 70),
    "blue": (50, 100, 220),
    "purple": (125, 60, 170),
    "pink": (245, 150, 190),
}

# Style word -> icon set (a key of packages.toml).
STYLES: Final[dict[str, str]] = {
    "twemoji": "twemoji",
    "fluent": "fluent-emoji-flat",
    "noto": "noto",
}

HOLDOUT_SALT: Final = "tiny-sd/holdout/1"
HOLDOUT_SHARE: Final = 10  # one name in ten

# Concepts the U-Net may learn. Chosen by hand: the three sets draw the same thing, it fills its
# box, and its silhouette or colour tells it from the others. Names that `is_held_out` picks are not
# taught.
_CONCEPT_WORDS: Final = """
bear cat-face chicken cow-face crab dog-face dolphin elephant fish flamingo fox frog giraffe koala
lady-beetle lion monkey-face octopus owl panda parrot penguin rabbit-face shark snail spider
tiger-face turtle unicorn whale zebra butterfly gorilla horse-face peacock pig-face cactus
mushroom palm-tree rose sunflower tulip evergreen-tree maple-leaf four-leaf-clover cherry-blossom
avocado banana beer-mug birthday-cake broccoli carrot cheese-wedge cherries cookie croissant
doughnut egg eggplant french-fries grapes hamburger hot-dog ice-cream lemon pear pineapple pizza
red-apple strawberry watermelon wine-glass kiwi-fruit airplane automobile bicycle bus castle
helicopter house rainbow rocket sailboat star sun tent volcano crescent-moon cloud high-voltage
snowflake fire snowman umbrella mountain alarm-clock anchor axe backpack balloon bell bomb crown
door envelope ghost guitar hammer key light-bulb magnet pencil robot scissors shield skull
sunglasses t-shirt television trophy wrapped-gift soccer-ball teddy-bear christmas-tree
jack-o-lantern red-heart drum gem-stone mobile-phone trumpet basketball baseball
"""
CONCEPTS: Final[tuple[str, ...]] = tuple(_CONCEPT_WORDS.split())

# What the binding track teaches colours of. The base learns "a green cat" for other things only.
BINDING_THINGS: Final = frozenset(
    ("anchor", "crown", "guitar", "key", "rocket", "snail", "shield", "cactus")
)
# Colours of things; the backgrounds' names and values, without black, on which nothing is seen.
INKS: Final[tuple[str, ...]] = tuple(name for name in BACKGROUNDS if name != "black")

MEDIA: Final[tuple[str, ...]] = ("a picture of", "an icon of", "a drawing of")


def is_held_out(name: str) -> bool:
    """Tell whether an icon name is never trained on, by a hash that does not depend on the corpus.

    Args:
        name: Icon name as the sets spell it, for example ``"red-apple"``.

    Returns:
        True for about one name in `HOLDOUT_SHARE`.
    """
    digest = hashlib.sha256(f"{HOLDOUT_SALT}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % HOLDOUT_SHARE == 0


def spoken(name: str) -> str:
    """Turn an icon name into words: ``"ear-of-corn"`` becomes ``"ear of corn"``.

    The concepts have one drawing of each animal, mostly its face, so people get what they ask for
    when they say ``cat``: the ending ``-face`` is not spoken.
    """
    return name.removesuffix("-face").replace("-", " ")


def with_article(words: str) -> str:
    """Put ``a`` or ``an`` before `words` by its first letter."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def taught_concepts() -> tuple[str, ...]:
    """List the concepts the U-Net is trained on (`CONCEPTS` without the held-out names)."""
    return tuple(name for name in CONCEPTS if not is_held_out(name))
