"""What a contest draws, from the captions: what is taught, elsewhere, its kind, anything else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.protocol.track_file import Prompt

MOST_INSTANCES = 6
CONTEXTS, UNRELATED = 2, 3
# Of the captions that have to begin alike, so that the beginning is what they are about.
SHARED = 0.6
ARTICLES = frozenset({"a", "an", "the"})
# Words that no phrase ends with: "a sks mug on a" is "a sks mug".
FILLERS = ARTICLES | {"on", "in", "at", "of", "with", "and", "is", "by", "to", "from", "for"}

# Places and things that a caption has probably not named; those whose words it has are left out.
PLACES = (
    "in the snow", "on a beach", "in a forest", "on a wooden table", "in a city at night",
    "under water", "on the moon", "in a library",
)  # fmt: skip
THINGS = (
    "a bowl of fruit", "a bicycle", "a castle on a hill", "a cat", "a palm tree", "a red car",
    "a portrait of an old man", "a pizza", "a mountain at sunset",
)  # fmt: skip


class Words(NamedTuple):
    """What the captions are about."""

    subject: str  # "a sks mug"; "" when they share no beginning
    kind: str  # "a mug", without the taught word


def words_of(captions: Sequence[str], trigger_word: str = "", subject: str = "") -> Words:
    """Find out what captions are about.

    Args:
        captions: Of all pictures.
        trigger_word: The rare word or words that stand for the subject, if they were typed.
        subject: The phrase itself, if it was typed.
    """
    subject = subject or beginning(captions) or trigger_word
    # A trigger "sks mug" is all there is of "a sks mug": then the last word stays.
    taught = trigger_word if trigger_word and without(subject, trigger_word) else rare_word(subject)
    rest = without(subject, taught)
    return Words(subject, with_article(rest))


def without(phrase: str, words: str) -> str:
    """Return a phrase without some words that stand side by side in it, and without articles."""
    if words:
        phrase = re.sub(rf"(?<!\w){re.escape(words)}(?!\w)", " ", phrase, flags=re.IGNORECASE)
    return " ".join(word for word in phrase.split() if word.lower() not in ARTICLES)


def beginning(captions: Sequence[str]) -> str:
    """Return the longest beginning that most captions share, up to the first comma."""
    heads = [re.split(r"[,.;:]", caption)[0].split() for caption in captions]
    best: list[str] = []
    for length in range(1, max(map(len, heads), default=0) + 1):
        counts = Counter(tuple(head[:length]) for head in heads if len(head) >= length)
        words, count = counts.most_common(1)[0]
        if count < SHARED * len(captions):
            break
        best = list(words)
    while best and best[-1].lower() in FILLERS:
        best.pop()
    return " ".join(best)


def rare_word(subject: str) -> str:
    """Return the words before the last one, without an article: "sks" of "a sks mug"."""
    words = [word for word in subject.split() if word.lower() not in ARTICLES]
    return " ".join(words[:-1])


def with_article(phrase: str) -> str:
    """Return "a mug" for "a  mug" or "mug", and "" for what has no word left."""
    rest = without(phrase, "")
    return f"{'an' if rest[0].lower() in 'aeiou' else 'a'} {rest}" if rest else ""


def prompts_of(words: Words, captions: Sequence[str], heldout: dict[str, str]) -> list[Prompt]:
    """Return the prompts of a contest.

    Args:
        words: What the captions are about.
        captions: Of all pictures.
        heldout: Stem of each held-out picture -> its caption.
    """
    counts = Counter(heldout.values())
    instances = [
        # One caption of several pictures is compared with all of them.
        Prompt(kind="instance", text=text, like=stem if counts[text] == 1 else None)
        for stem, text in {text: (stem, text) for stem, text in heldout.items()}.values()
    ][:MOST_INSTANCES]
    things = unnamed(THINGS, captions)
    subject = words.subject or min(captions, key=len)
    contexts = [f"{subject}, {place}" for place in unnamed(PLACES, captions)[:CONTEXTS]]
    # Where the captions name the subject by a usual word, nothing nearer is known than another
    # thing of the same manner.
    same = not words.kind or words.kind.lower() == words.subject.lower()
    neighbour = f"a drawing of {things[-1]}" if same else words.kind
    return [
        *instances,
        *(Prompt(kind="context", text=text) for text in contexts),
        Prompt(kind="neighbour", text=neighbour),
        *(Prompt(kind="unrelated", text=text) for text in things[:UNRELATED]),
    ]


def unnamed(phrases: Iterable[str], captions: Sequence[str]) -> list[str]:
    """Return the phrases without those that share a word with a caption; all, if none is left."""
    named = {word for caption in captions for word in re.findall(r"\w+", caption.lower())}
    phrases = list(phrases)
    left = [phrase for phrase in phrases if not named & (set(re.findall(r"\w+", phrase)) - FILLERS)]
    return left if len(left) > UNRELATED else phrases
