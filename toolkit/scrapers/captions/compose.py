"""Make a caption from what the archive says about a picture."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.core.clip_tokens import count as count_tokens
from toolkit.scrapers.captions.clean import clean, first_sentence, is_telling
from toolkit.scrapers.hits import ImageHit

# Stable Diffusion 1.x reads 77 tokens, of which two mark start and end.
CLIP_TOKENS = 77
# More of a title than this is a story.
MOST_WORDS = 30
MOST_TAGS = 6


@dataclass(frozen=True)
class CaptionRules:
    """How captions are written.

    Attributes:
        template: With ``{text}``, and ``{trigger}`` where the trigger word is to stand.
        trigger: A rare word that stands for the subject, such as ``sks``; may be "".
        max_tokens: Start and end included.
    """

    template: str = "{text}"
    trigger: str = ""
    max_tokens: int = CLIP_TOKENS

    def __post_init__(self) -> None:
        try:
            self.template.format(text="", trigger="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"the template {self.template!r} can hold {{text}} and {{trigger}} only ({error})."
            ) from error
        if "{text}" not in self.template:
            raise ValueError(f"the template {self.template!r} has no {{text}} in it.")


def describe(hit: ImageHit, query: str) -> str:
    """Return the best words the archive has for a picture, or the query when it has none."""
    title = clean(hit.title)
    sentence = clean(first_sentence(hit.description))
    if is_telling(title) and len(title.split()) >= 3:
        return _short(title)
    if is_telling(sentence) and len(sentence.split()) <= MOST_WORDS:
        return _short(sentence)
    words = title if is_telling(title) else clean(query)
    # One word says little; tags say what else is there.
    tags = dict.fromkeys(clean(tag).lower() for tag in hit.tags)
    more = [tag for tag in tags if is_telling(tag) and tag not in words.lower()]
    return _short(", ".join([words, *more[:MOST_TAGS]]))


def compose(words: str, rules: CaptionRules) -> str:
    """Return the caption: template and trigger word around ``words``, cut to the token limit."""
    template = rules.template
    if rules.trigger and "{trigger}" not in template:
        template = "{trigger} " + template
    parts = words.split()
    while True:
        caption = " ".join(
            template.format(text=" ".join(parts).rstrip(" ,;:-"), trigger=rules.trigger).split()
        )
        # Words are cut from the end of the text, never from the template.
        if not parts or count_tokens(caption) <= rules.max_tokens:
            return caption
        parts.pop()


def _short(text: str) -> str:
    return " ".join(text.split()[:MOST_WORDS])
