"""Colours, likeness and copies on pictures whose answer is known."""

import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from harness import paths
from harness.protocol.track import load_track
from harness.protocol.track_file import Prompt
from harness.scoring.colours import adherence, border_colour, ink_colour
from harness.scoring.likeness import Gallery, memorisation, similarity
from harness.scoring.sampler import to_pixel_values
from toolkit.core.errors import UsageError
from toolkit.images.alike import difference, is_copy, mean_difference, near_duplicates, thumbnail

COLOURS = load_track("robot").file.colours
TRAIN = paths.TRACKS / "robot" / "train" / "Images"


def disc(background, ink=None):
    picture = Image.new("RGB", (64, 64), COLOURS[background])
    if ink:
        ImageDraw.Draw(picture).ellipse((14, 14, 50, 50), fill=COLOURS[ink])
    return picture


def asked(**colours):
    return Prompt(text="a disc", kind="instance", **colours)


@pytest.mark.parametrize("background", COLOURS)
@pytest.mark.parametrize("ink", ["red", "white", "black", "green"])
def test_every_pair_of_colours_is_read_back(background, ink):
    if ink == background:
        return
    pixels = to_pixel_values([disc(background, ink)])
    assert adherence(pixels, [asked(background=background, ink=ink)], COLOURS) == 1
    assert adherence(pixels, [asked(background=ink, ink=background)], COLOURS) == 0


def test_half_of_what_was_asked_is_half():
    pixels = to_pixel_values([disc("blue", "red"), disc("blue")])
    prompts = [asked(background="blue", ink="green"), asked(background="red")]
    assert adherence(pixels, prompts, COLOURS) == pytest.approx(1 / 3)
    assert adherence(pixels, [asked(), asked()], COLOURS) is None


def test_an_empty_picture_has_no_ink():
    (empty,) = to_pixel_values([disc("blue")])
    assert ink_colour(empty) is None
    assert border_colour(empty).tolist() == pytest.approx(COLOURS["blue"], abs=1)


def gallery(**changes):
    eye = torch.eye(4)
    fields = {
        "heldout": eye[:2],
        "heldout_stems": ("a", "b"),
        "train": eye[2:3],
        "contrast": torch.empty(0),
        "contrast_stems": (),
    }
    return Gallery(**(fields | changes))


def test_similarity_is_the_mean_cosine_to_all_or_to_the_named_picture():
    drawn = torch.tensor([[1.0, 0, 0, 0]])
    assert similarity(drawn, [asked()], gallery()) == 0.5
    assert similarity(drawn, [asked(like="a")], gallery()) == 1
    assert similarity(drawn, [asked(like="b")], gallery()) == 0
    with pytest.raises(UsageError, match="no such picture"):
        similarity(drawn, [asked(like="c")], gallery())


def test_contrast_takes_out_what_the_thing_itself_has_in_common():
    both = torch.tensor([[0.6, 0, 0, 0.8]])
    styled = gallery(contrast=torch.eye(4)[3:], contrast_stems=("a-noto",))
    assert similarity(both, [asked(like="a")], styled) == pytest.approx(0.6 - 0.8)


def test_memorisation_is_positive_for_who_is_nearer_to_training_pictures():
    learnt, copied = torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([[0, 0, 1.0, 0]])
    assert memorisation(learnt, gallery()) == -1
    assert memorisation(copied, gallery()) == 1


def test_a_copy_is_recognised_resized_saved_and_mirrored(tmp_path):
    with Image.open(TRAIN / "example3.png") as opened:
        picture = opened.convert("RGB")
    picture.resize((64, 64)).save(tmp_path / "small.jpg", quality=50)
    ours = [thumbnail(picture)]
    with Image.open(tmp_path / "small.jpg") as small:
        assert is_copy(thumbnail(small), ours)
        assert is_copy(thumbnail(ImageOps.mirror(small)), ours)


def test_no_training_picture_passes_for_another_nor_for_a_held_out_one():
    files = [*TRAIN.iterdir(), *(paths.TRACKS / "robot" / "heldout" / "Images").iterdir()]
    thumbs = []
    for path in files:
        with Image.open(path) as picture:
            thumbs.append(thumbnail(picture))
    apart = [difference(a, b) for i, a in enumerate(thumbs) for b in thumbs[:i]]
    assert min(apart) > 0.1


def test_held_out_pictures_in_a_folder_are_found_and_other_files_are_passed_over(tmp_path):
    heldout = paths.TRACKS / "robot" / "heldout"
    with Image.open(heldout / "Images" / "example2.png") as picture:
        picture.convert("RGB").resize((96, 96)).save(tmp_path / "mine.webp", quality=70)
    disc("red").save(tmp_path / "disc.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "readme.md").write_text("text")
    (found,) = near_duplicates(tmp_path, heldout)
    assert (found[0].name, found[1].name) == ("mine.webp", "example2.png")


def test_mean_difference_of_black_and_white_is_one():
    black, white = Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4), "white")
    assert mean_difference(black, white) == 1
    assert mean_difference(black, black) == 0
