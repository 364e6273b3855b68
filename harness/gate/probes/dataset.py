"""What make_dataset makes of a folder of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Symptom, probes_of

if TYPE_CHECKING:
    from torch import Tensor

    from harness.gate.experiments.dataset import DatasetSeen

probe = probes_of("dataset", "make_dataset", owners=("make_dataset",))


@probe(
    "HUB-C25",
    "Odd pictures are read wrongly",
    calls=("open", "convert", "read_text", "suffix", "endswith"),
    because=("HUB-C45", "HUB-C46"),
)
def odd_pictures(seen: DatasetSeen) -> Iterator[Symptom]:
    """Pictures as people have them are read as people see them."""
    # Go through the zoo: what was raised, and which colours came out.
    for one in seen.oddities:
        odd = one.odd
        if one.fault:
            yield Symptom(f"A picture with {odd.title}: {one.fault}")
        elif one.caption.strip() != odd.wanted or one.caption != one.caption.strip():
            yield Symptom(
                f"A picture with {odd.title}: the caption is {one.caption!r}, not {odd.wanted!r}.",
                fix='path.read_text(encoding="utf-8-sig").strip()',
            )
        else:
            for half, found, wanted in (
                ("upper", one.top, odd.top),
                ("lower", one.bottom, odd.bottom),
            ):
                if wanted and max(abs(a - b) for a, b in zip(found, wanted, strict=True)) > 0.3:
                    yield Symptom(
                        f"A picture with {odd.title}: its {half} half has the mean colour {found} "
                        f"(red, green, blue, -1 to 1); a viewer shows {wanted}.",
                    )


@probe(
    "HUB-C45",
    "Captions belong to other pictures",
    calls=("zip", "sorted", "listdir", "iterdir", "glob", "read_text"),
)
def pairs(seen: DatasetSeen) -> Iterator[Symptom]:
    """A caption belongs to its picture."""
    # Compare the colour of each picture with the colour that its caption names.
    from harness.gate.experiments.dataset import colour_named, nearest_colour
    from harness.gate.sample_folders import PAIRS

    if len(seen.items) != len(PAIRS):
        yield Symptom(
            f"A folder of {len(PAIRS)} pictures became a dataset of {len(seen.items)} items.",
            meaning="Pictures are lost (by their extension?) or counted twice.",
            fix="Take every file whose suffix.lower() is .png, .jpg, .jpeg or .webp, once.",
        )
    named = [colour_named(caption) for _, caption in seen.items]
    if None in named:
        lost = seen.items[named.index(None)][1]
        yield Symptom(f"The caption {lost!r} is not one of the folder's.")
        return
    # BGR is another fault, which HUB-C46 tells.
    for channels in ((0, 1, 2), (2, 1, 0)):
        shown = [nearest_colour(p, seen.low, seen.high, channels) for p, _ in seen.items]
        if shown == named:
            return
    shown = [nearest_colour(p, seen.low, seen.high) for p, _ in seen.items]
    wrong = [(s, n) for s, n in zip(shown, named, strict=True) if s != n]
    yield Symptom(
        f"{len(wrong)} of {len(seen.items)} pictures have another's caption; the {wrong[0][0]} one "
        f"is called {wrong[0][1]}."
    )


@probe(
    "HUB-C46",
    "pixel_values are not RGB from -1 to 1",
    calls=("Normalize", "ToTensor", "permute", "float"),
)
def pixel_values(seen: DatasetSeen) -> Iterator[Symptom]:
    """pixel_values are float32 RGB from -1 to 1."""
    # Look at type, range and channels of plain red, green, blue, white and black.
    from harness.gate.experiments.dataset import colour_named, nearest_colour

    dtypes = {str(pixels.dtype) for pixels, _ in seen.items}
    if dtypes != {"torch.float32"}:
        yield Symptom(f"pixel_values are {', '.join(sorted(dtypes))}, not float32.")
    if not (-1.01 <= seen.low <= -0.9 and 0.9 <= seen.high <= 1.01):
        yield Symptom(
            f"Black and white pictures give pixels from {seen.low:.3g} to {seen.high:.3g}; wanted "
            "-1 to 1."
        )
        return
    right = swapped = 0
    for pixels, caption in seen.items:
        colour = colour_named(caption)
        right += nearest_colour(pixels, seen.low, seen.high) == colour
        swapped += nearest_colour(pixels, seen.low, seen.high, (2, 1, 0)) == colour
    if swapped > right:
        yield Symptom(
            "Red pictures come out blue: the channels are in the order blue, green, red.",
            meaning="The VAE expects RGB; every colour word will be learnt wrongly.",
            fix='Use Pillow\'s convert("RGB"); after cv2.imread, write image[:, :, ::-1].copy().',
        )


@probe(
    "HUB-C47",
    "Pictures are squeezed or turned",
    calls=("resize", "Resize", "permute", "transpose"),
    because=("HUB-C46",),
)
def aspect(seen: DatasetSeen) -> Iterator[Symptom]:
    """A circle stays a circle, and up stays up."""
    width, height = seen.disc
    if not width or not height:
        yield Symptom("The disc in the middle of a wide picture is not in the square any more.")
        return
    if not 0.87 <= width / height <= 1.15:
        yield Symptom(
            f"A disc in a picture of 160 x 80 pixels became {width:.0f} x {height:.0f} pixels."
        )
    if seen.red_edge != "top":
        yield Symptom(
            f"The upper edge of a picture lies at the {seen.red_edge}.",
            meaning="Pictures are turned or stand on their head.",
            fix="A tensor of an image is (C, H, W): permute(2, 0, 1), not transpose.",
        )


@probe(
    "HUB-C48",
    "The dataset changes from call to call",
    calls=("random", "rand", "shuffle", "choice", "RandomCrop", "RandomHorizontalFlip", "listdir"),
)
def same_every_time(seen: DatasetSeen) -> Iterator[Symptom]:
    """A dataset gives the same items each time it is asked."""
    # Compare items asked twice, from a dataset made anew, and with folders listed backwards.
    if _difference(seen.items, seen.again):
        yield Symptom(f"Asked twice, dataset[i] differs: {_difference(seen.items, seen.again)}.")
    elif _difference(seen.items, seen.anew):
        yield Symptom(
            "A dataset made anew, with another state of the global random generators, differs: "
            f"{_difference(seen.items, seen.anew)}."
        )
    elif _difference(seen.items, seen.reversed_listing):
        yield Symptom(
            "The order of the items follows the order in which the file system lists the folder.",
            meaning="On another machine the same seed trains on other pictures.",
            fix="Sort the names: sorted(path.iterdir()).",
            severity="hint",
        )


def _difference(first: list[tuple[Tensor, str]], second: list[tuple[Tensor, str]]) -> str:
    """Say in a few words how two lists of items differ; empty if they do not."""
    if len(first) != len(second):
        return f"{len(first)} and {len(second)} items"
    captions = sum(a[1] != b[1] for a, b in zip(first, second, strict=True))
    if captions:
        return f"{captions} captions"
    pixels = sum(not a[0].equal(b[0]) for a, b in zip(first, second, strict=True))
    return f"the pixels of {pixels} pictures" if pixels else ""


PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".txt")


@probe(
    "HUB-C49",
    "The dataset reads other files than those it is handed",
    calls=("Path", "open", "glob", "listdir"),
)
def stays_in_its_folder(seen: DatasetSeen) -> Iterator[Symptom]:
    """make_dataset reads the folder it is handed, and no other pictures."""
    # Look at the files that were opened meanwhile.
    for deed in seen.deeds:
        foreign = deed.what.endswith(PICTURES) and "/pictures/" not in deed.what.replace("\\", "/")
        if deed.kind == "read" and foreign:
            yield Symptom(
                f"It opened {deed.what.rpartition('/')[2]!r}, which is not in data_dir.",
                place=deed.place,
            )
            return
        if deed.kind in ("network", "process"):
            yield Symptom(
                f"It asked for more than files ({deed.kind}: {deed.what}).", place=deed.place
            )
            return
    written = next((deed for deed in seen.deeds if deed.kind == "write"), None)
    if written:
        yield Symptom(
            f"It wrote {written.what!r}.",
            place=written.place,
            severity="hint",
            meaning="data_dir is the user's folder, and may not be writable.",
            fix="Keep what is computed in memory.",
        )
