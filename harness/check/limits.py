"""Every number and name list that the rules share, in one place."""

from __future__ import annotations

MIB = 1024 * 1024

MAX_FILE_BYTES = 1 * MIB
MAX_PICTURE_BYTES = 2 * MIB
MAX_FOLDER_BYTES = 20 * MIB
MAX_FILES = 200
# Listing stops here, so that a folder of a million files costs no more than a big one.
MAX_LISTED = 2000
MAX_DEPTH = 12

# What src/ and contribution.toml may hold, packed: three times and seven times the hub's largest.
MAX_PACKED_CODE = 16 * 1024
MAX_PACKED_SETTINGS = 4 * 1024
MAX_DIGITS = 2500
MAX_WORD = 120

MIN_SIDE_PX = 64


# Extension -> the only Pillow format that may be inside.
PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
TEXT_SUFFIXES = frozenset({".py", ".toml", ".md", ".txt", ".json"})

IMAGES = "Dataset/Images"
CAPTIONS = "Dataset/ImageCaptions"

# Windows cannot create these, whatever the extension.
WINDOWS_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"com{digit}" for digit in "123456789¹²³"}
    | {f"lpt{digit}" for digit in "123456789¹²³"}
)

# Names that the hub's own rows have: src/ and the untouched base model.
ROWS_OF_THE_HUB = frozenset({"reference", "base"})
