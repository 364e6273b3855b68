"""Turn what people type into title fields into words that describe a picture."""

from __future__ import annotations

import html
import re

_EXTENSION = re.compile(r"(?i)\.(jpe?g|png|webp|gif|tiff?|svg|bmp)$")
_FILE_PREFIX = re.compile(r"(?i)^(file|image|datei|fichier)\s*:\s*")
_URL = re.compile(r"(?i)\b(?:https?://|www\.)\S+")
_TAG = re.compile(r"<[^>]*>")
# Names that cameras give: IMG_1234, DSC01234, P1010101, 20240131_120000.
_CAMERA = re.compile(
    r"(?i)\b(?:(?:img|dsc[fn]?|pxl|mvimg)[\s_-]*\d+|"
    r"(?:pict?|wp|cimg|sam|gopr|dji|p\d{3})[\s_-]*\d{3,})\w*\b"
)
_DATE = re.compile(r"\b(?:19|20)\d{2}[-/.:]?\d{2}[-/.:]?\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b")
_TIME = re.compile(r"\b\d{1,2}[:h.]\d{2}(?:[:.]\d{2})?\b|\b\d{6}\b")
# Numbers alone: "(2)", "#17", "0042", "4532178290". "3 pandas" and "boeing 747" keep theirs.
_NUMBER = re.compile(r"\(\s*\d+\s*\)|#\s*\d+|\b\d{4,}\b|(?<![^\W\d_] )\b\d{1,3}\b(?!\s*[^\W\d_])")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_EMPTY_BRACKETS = re.compile(r"[(\[{]\W*[)\]}]")


def clean(text: str) -> str:
    """Return a title, description or tag as plain words on one line; may be "".

    >>> clean("File:Red_Panda_(Ailurus fulgens)_IMG_1234.JPG")
    'Red Panda (Ailurus fulgens)'
    >>> clean("<b>RED PANDA</b> eating bamboo, 2019-05-04 &amp; resting")
    'red panda eating bamboo, & resting'
    """
    text = html.unescape(_TAG.sub(" ", text))
    text = _URL.sub(" ", _FILE_PREFIX.sub("", text.strip()))
    text = _EXTENSION.sub("", text.strip())
    text = _CAMERA.sub(" ", text.replace("_", " "))
    text = _TIME.sub(" ", _DATE.sub(" ", text))
    if " " not in text.strip():
        # A file's name. In a sentence "McDonald" and "iPhone" are words.
        text = _CAMEL.sub(" ", text)
    text = _EMPTY_BRACKETS.sub(" ", _NUMBER.sub(" ", text))
    text = re.sub(r"\s+([,.;:!?)])", r"\1", " ".join(text.split()))
    text = text.strip(" \t-\u2013\u2014_,.;:|/\\*~\"'")
    return " ".join(word.lower() if _shouted(word) else word for word in text.split())


def _shouted(word: str) -> bool:
    # Short ones are abbreviations: USA, BMW.
    return len(word) > 3 and word.isupper()


def is_telling(text: str) -> bool:
    """Tell whether a cleaned text has at least one real word."""
    return re.search(r"[^\W\d_]{3,}", text) is not None


def first_sentence(text: str) -> str:
    """Return a description's first sentence: the rest is about the day, the camera, the licence."""
    return re.split(r"(?<=[a-z0-9)])[.!?](?:\s|$)|\n", text.strip(), maxsplit=1)[0].strip()
