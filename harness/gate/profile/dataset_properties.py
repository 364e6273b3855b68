"""The properties of ``make_dataset``. What is measured: ``experiments/dataset_measures/``."""

from __future__ import annotations

from harness.gate.profile.card_contents import (
    DIM,
    GREYS,
    ODD,
    PARTS,
    PERIODS,
    SWATCHES,
    TEXTS,
    part_name,
)
from harness.gate.profile.property import Measure, Property

PLACE, TONE, COLOUR = "dataset.place", "dataset.tone", "dataset.colour"
LENGTH, FORM = "dataset.length", "dataset.form"


def prop(
    id: str, title: str, sentence: str, *measures: Measure, **others: str | bool | tuple[str, ...]
) -> Property:
    """Return a property of ``make_dataset``."""
    return Property(id, title, sentence, "make_dataset", measures, **others)  # type: ignore[arg-type]


DATASET: tuple[Property, ...] = (
    prop(
        FORM,
        "What an item is",
        "Seven pictures of 80 x 80 pixels, asked for at 64 pixels, and a second time at 72: the "
        "items' shape, and what their numbers are.",
        Measure("shape"),
        Measure("shape at another resolution"),
        Measure("type of numbers"),
        never="A caller that asks for a resolution gets it, as float32.",
        fix="Resize to (resolution, resolution), and return float().",
        calls=("resolution", "fit", "resize", "half", "float"),
    ),
    prop(
        TONE,
        "What becomes of greys",
        "Four plain grey cards, one of two greys, and one of all 256; as pixel_values.",
        *(Measure(name, tolerance=0.005, grave=0.5) for name in (*GREYS, *DIM)),
        Measure("different greys in a smooth ramp", tolerance=8.0),
        fix="pixels / 127.5 - 1: the VAE was trained on -1 to 1.",
        calls=("float", "Normalize", "ToTensor", "permute"),
        because=(FORM, "dataset.repeatable"),
    ),
    prop(
        COLOUR,
        "What becomes of colours",
        "Four plain cards; as pixel_values, channel by channel.",
        *(
            Measure(f"{name}'s {channel}", tolerance=0.03, grave=0.8)
            for name in SWATCHES
            for channel in ("red", "green", "blue")
        ),
        fix='Keep the channels of image.convert("RGB") in their order.',
        calls=("convert", "array", "permute"),
        because=(TONE, "dataset.repeatable"),
    ),
    prop(
        PLACE,
        "Which part of a picture is shown",
        "Two wide cards and a tall one whose tone tells the column or the row: where the item's "
        "edges lie in them, whether it is turned, and whether bars were added.",
        Measure("left edge, as a share of the picture", tolerance=0.012),
        Measure("right edge", tolerance=0.012),
        Measure("upper edge", tolerance=0.012),
        Measure("lower edge", tolerance=0.012),
        Measure("upper edge of a tall one", tolerance=0.012),
        Measure("lower edge of a tall one", tolerance=0.012),
        Measure("turned by a quarter"),
        Measure("bars", tolerance=0.05),
        fix="ImageOps.fit(image, (resolution, resolution)); rows are the second of (3, H, W).",
        calls=("fit", "resize", "crop", "permute", "pad"),
        because=(TONE, "dataset.repeatable"),
    ),
    prop(
        "dataset.sharpness",
        "How sharp pictures stay",
        "Waves of 12 and of 32 pixels in a card that is made four times smaller, and in a small "
        "one that is made twice as large; and fine waves in a picture with a palette.",
        *(
            Measure(f"contrast of {name} waves", tolerance=0.02)
            for name in (*PERIODS, "small", "palette")
        ),
        fix="Resize once, with Image.Resampling.LANCZOS.",
        calls=("fit", "resize", "LANCZOS", "BILINEAR"),
        because=(TONE, PLACE, COLOUR),
    ),
    prop(
        "dataset.parts",
        "What becomes of each part of a picture",
        "A card that is nowhere flat: the mean of each sixteenth.",
        *(
            Measure(part_name(row, column), tolerance=0.02)
            for row in range(PARTS)
            for column in range(PARTS)
        ),
        fix="Change nothing in a picture beside its size.",
        calls=("fit", "paste", "Draw", "rotate"),
        because=(TONE, PLACE, COLOUR, "dataset.sharpness", "dataset.repeatable", FORM),
    ),
    prop(
        "dataset.transparency",
        "What see-through pixels become",
        "A card that is see-through all over, with dark red underneath, and one that is half so.",
        Measure("see-through pixels become", tolerance=0.05, grave=1.1),
        Measure("half see-through ones become", tolerance=0.05),
        fix="Lay the picture on white: Image.alpha_composite, then convert.",
        calls=("convert", "alpha_composite", "new"),
        because=(TONE, PLACE),
    ),
    prop(
        "dataset.orientation",
        "Whether photos are turned as their camera says",
        "A card with red above and blue below, stored lying on its side with a note to turn it.",
        Measure("red in the upper half", tolerance=0.1, grave=0.5),
        Measure("blue in the upper half", tolerance=0.1),
        fix="ImageOps.exif_transpose(image) before anything else.",
        calls=("open", "exif_transpose"),
        because=(TONE, COLOUR, PLACE),
    ),
    prop(
        "dataset.sixteen_bits",
        "What becomes of 16 bits",
        "A grey picture of half the brightness, 16 bits per pixel.",
        Measure("a half-bright picture becomes", tolerance=0.05, grave=0.5),
        fix='Divide by 257 before convert("RGB").',
        calls=("convert", "open"),
        because=(TONE, PLACE),
    ),
    prop(
        "dataset.odd_pictures",
        "What becomes of pictures as people have them",
        "Plain pictures, each alone in its folder, and odd in one way: as files, in their colours, "
        "or in what a camera noted.",
        *(Measure(f"one {title}") for title in ODD),
        serious=True,
        fix='ImageOps.exif_transpose, then convert("RGBA"), then onto white; and take every file '
        "whose suffix.lower() is a picture's, but none whose name begins with a dot.",
        calls=("open", "convert", "suffix", "endswith", "exif_transpose"),
        because=(
            *(TONE, COLOUR, PLACE, FORM, LENGTH),
            *("dataset.orientation", "dataset.transparency", "dataset.repeatable"),
        ),
    ),
    prop(
        "dataset.files",
        "Which files it reads",
        "Files of pictures, texts and numbers that are opened and lie in no folder that it was "
        "handed; and what else it asks the machine for.",
        Measure("it reads"),
        Measure("it asks for"),
        never="All contributions train on the pictures of the track, and on nothing else.",
        fix="Read data_dir, and keep what is needed beside it in the code.",
        calls=("Path", "open", "glob", "listdir"),
    ),
    prop(
        "dataset.writes",
        "Which files it writes",
        "Files that are written or made while it reads.",
        Measure("it writes"),
        fix="Keep what is computed in memory: data_dir is the user's, and may not be writable.",
        calls=("open", "mkdir", "save", "write_text"),
    ),
    prop(
        LENGTH,
        "How many items there are",
        "Seven pictures (.png, .PNG, .jpg, .JPG, .jpeg, .webp), and eight with odd captions.",
        Measure("items for each picture of the row", tolerance=0.001),
        Measure("different pictures", tolerance=0.1, grave=0.5),
        Measure("items for each picture with odd captions", tolerance=0.001),
        fix="Take every file whose suffix.lower() is .png, .jpg, .jpeg or .webp, once.",
        calls=("suffix", "__len__", "len", "endswith"),
    ),
    prop(
        "dataset.order",
        "In which order the items come",
        "The row of seven, by colour.",
        Measure("the row comes as"),
        fix="sorted(folder.iterdir()).",
        calls=("sorted", "iterdir", "glob", "listdir"),
        because=(LENGTH, COLOUR, TONE, PLACE),
    ),
    prop(
        "dataset.pairs",
        "Which caption goes with a picture",
        "The captions of the row name the colours.",
        Measure("share with their own", tolerance=0.01),
        never="The model learns to draw what a caption does not say.",
        fix="Read <stem>.txt of the picture's own path.",
        calls=("read_text", "stem", "zip"),
        because=(COLOUR, TONE, PLACE),
    ),
    prop(
        "dataset.captions",
        "The text of captions",
        "Eight captions with commas, lines, capitals, marks and letters beyond ASCII, in full.",
        *(Measure(name) for name in TEXTS),
        Measure(f"variants of the one {next(iter(TEXTS))}"),
        serious=True,
        fix='" ".join(path.read_text(encoding="utf-8-sig").split()).',
        calls=("read_text", "split", "strip", "lower", "replace"),
        because=(LENGTH, "dataset.pairs", TONE, COLOUR),
    ),
    prop(
        "dataset.seed",
        "What another seed changes",
        "The odd captions with two seeds in the config.",
        Measure("another seed"),
        fix="Draw from a generator with config.seed.",
        calls=("seed", "Random", "Generator"),
        because=("dataset.repeatable",),
    ),
    prop(
        "dataset.settings",
        "What its settings change",
        "Eight pictures with repeats = 3, with flip, with a trigger word, with shuffled captions, "
        "and a wide picture with buckets.",
        Measure("items with repeats", tolerance=0.001),
        Measure("items with flip", tolerance=0.001),
        Measure("a trigger word"),
        Measure("shuffled captions"),
        Measure("a wide picture in buckets"),
        fix="Read all of config, or refuse what is not read.",
        calls=("config", "repeats", "flip", "trigger_word"),
        because=(LENGTH, FORM, "dataset.repeatable"),
    ),
    prop(
        "dataset.repeatable",
        "Whether an item stays what it is",
        "The row and a picture that is nowhere flat, asked four times, and made anew three times "
        "with another state of torch's generator.",
        Measure("asked again"),
        Measure("made anew"),
        never="Trainers keep the latents of an item: what it becomes later is not seen.",
        fix="Decide by chance once, in __init__, with config.seed; more items show more variants.",
        calls=("rand", "random", "shuffle", "choice"),
    ),
)
