"""The properties of ``make_dataset``. What is measured: ``experiments/profile_dataset.py``."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property
from harness.gate.profile.test_cards import PERIODS, SWATCHES, TEXTS

PLACE, TONE, COLOUR = "dataset.place", "dataset.tone", "dataset.colour"
LENGTH = "dataset.length"


def prop(
    id: str, title: str, sentence: str, *measures: Measure, **others: str | tuple[str, ...]
) -> Property:
    """Return a property of ``make_dataset``."""
    return Property(id, title, sentence, "make_dataset", measures, **others)  # type: ignore[arg-type]


DATASET: tuple[Property, ...] = (
    prop(
        TONE,
        "What becomes of greys",
        "A card of eight grey bars, and one of all 256 greys; as pixel_values.",
        Measure("black", tolerance=0.005),
        Measure("dark grey", tolerance=0.01),
        Measure("middle grey", tolerance=0.01),
        Measure("white", tolerance=0.005),
        Measure("different greys in a smooth ramp", tolerance=8.0),
        fix="pixels / 127.5 - 1: the VAE was trained on -1 to 1.",
        calls=("float", "Normalize", "ToTensor", "permute"),
    ),
    prop(
        COLOUR,
        "What becomes of colours",
        "A card of four plain colours; as pixel_values, channel by channel.",
        *(
            Measure(f"{name}'s {channel}", tolerance=0.03)
            for name in SWATCHES
            for channel in ("red", "green", "blue")
        ),
        fix='Keep the channels of image.convert("RGB") in their order.',
        calls=("convert", "array", "permute"),
        because=(TONE, PLACE, "dataset.repeatable"),
    ),
    prop(
        PLACE,
        "Which part of a picture is shown",
        "Two wide cards whose tone tells the column and the row: where the item's edges lie in "
        "them, whether it is turned, and whether bars were added.",
        Measure("left edge, as a share of the picture", tolerance=0.012),
        Measure("right edge", tolerance=0.012),
        Measure("upper edge", tolerance=0.012),
        Measure("lower edge", tolerance=0.012),
        Measure("turned by a quarter"),
        Measure("bars", tolerance=0.05),
        fix="ImageOps.fit(image, (resolution, resolution)); rows are the second of (3, H, W).",
        calls=("fit", "resize", "crop", "permute", "pad"),
        because=(TONE, "dataset.repeatable"),
    ),
    prop(
        "dataset.sharpness",
        "How sharp pictures stay",
        "Waves of 12 and of 32 pixels in a card that is made four times smaller.",
        *(Measure(f"contrast of {name} waves", tolerance=0.02) for name in PERIODS),
        fix="Resize once, with Image.Resampling.LANCZOS.",
        calls=("fit", "resize", "LANCZOS", "BILINEAR"),
        because=(TONE, PLACE, COLOUR),
    ),
    prop(
        "dataset.transparency",
        "What see-through pixels become",
        "A card that is see-through all over, with dark red underneath.",
        Measure("see-through pixels become", tolerance=0.05),
        fix="Lay the picture on white: Image.alpha_composite, then convert.",
        calls=("convert", "alpha_composite", "new"),
        because=(TONE,),
    ),
    prop(
        "dataset.orientation",
        "Whether photos are turned as their camera says",
        "A card with red above and blue below, stored lying on its side with a note to turn it.",
        Measure("red in the upper half", tolerance=0.1),
        Measure("blue in the upper half", tolerance=0.1),
        fix="ImageOps.exif_transpose(image) before anything else.",
        calls=("open", "exif_transpose"),
        because=(TONE, COLOUR, PLACE),
    ),
    prop(
        "dataset.sixteen_bits",
        "What becomes of 16 bits",
        "A grey picture of half the brightness, 16 bits per pixel.",
        Measure("a half-bright picture becomes", tolerance=0.05),
        fix='Divide by 257 before convert("RGB").',
        calls=("convert", "open"),
        because=(TONE,),
    ),
    prop(
        LENGTH,
        "How many items there are",
        "Seven pictures (.png, .PNG, .jpg, .JPG, .jpeg, .webp), and nine with odd captions.",
        Measure("items for each picture of the row", tolerance=0.001),
        Measure("different pictures", tolerance=0.1),
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
        because=(LENGTH, COLOUR, TONE, PLACE),
    ),
    prop(
        "dataset.captions",
        "The text of captions",
        "Nine captions with commas, lines, capitals, marks and letters beyond ASCII, in full.",
        *(Measure(name) for name in TEXTS),
        Measure(f"variants of the one {next(iter(TEXTS))}"),
        fix='" ".join(path.read_text(encoding="utf-8-sig").split()).',
        calls=("read_text", "split", "strip", "lower", "replace"),
        because=(LENGTH, "dataset.pairs"),
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
        "dataset.repeatable",
        "Whether an item stays what it is",
        "The row asked twice, and made anew with another state of torch's generator.",
        Measure("asked again"),
        Measure("made anew"),
        never="Trainers keep the latents of an item: what it is later, nobody sees.",
        fix="Decide by chance once, in __init__, with config.seed; more items show more variants.",
        calls=("rand", "random", "shuffle", "choice"),
    ),
)
