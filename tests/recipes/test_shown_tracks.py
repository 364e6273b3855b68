"""The tracks whose results can be seen: their files are the makers', their figures are today's."""

import hashlib
import itertools
import json
import re
import shutil
from types import SimpleNamespace

import pytest
from PIL import Image

from harness import paths
from harness.protocol.track import Track, load_track
from harness.protocol.track_file import Prompt
from harness.scoring.hits import binding_hits
from harness.scoring.pictures import files, read_folder
from recipes.shown_tracks import board_sets, halves, measure, page, portrait, silhouette
from recipes.tiny_sd.vocabulary import spoken
from toolkit.images.alike import difference, thumbnail
from toolkit.images.sheet import open_picture

MAKERS = {"portrait": portrait, "silhouette": silhouette, "halves": halves}
# Hit rates: of the base at most, of the reference at least.
WANTED = {
    "portrait": (0.05, 0.8),
    "photo": (0.1, 0.7),
    "silhouette": (0.35, 0.7),
    "halves": (0.3, 0.65),  # 0.75 was to be reached: docs/tracks.md says what resists
}
# Of the pictures, so that none can change unnoticed: bytes of the pinned packages.
DIGEST = "ae80903d45a8eab7dcd881cb4c993ec24f3c4921d811c50e43672098611d6f03"


def test_the_pictures_are_those_of_the_makers():
    digest = hashlib.sha256()
    for name in sorted(MAKERS):
        for path in sorted((paths.TRACKS / name).rglob("*.png")):
            digest.update(path.relative_to(paths.TRACKS).as_posix().encode() + path.read_bytes())
    assert digest.hexdigest() == DIGEST


@pytest.mark.parametrize("name", MAKERS)
def test_the_captions_are_those_of_the_makers(name):
    for part, pictures in MAKERS[name].parts().items():
        folder = paths.TRACKS / name / part / "ImageCaptions"
        found = sorted(path.read_text(encoding="utf-8").strip() for path in folder.iterdir())
        assert found == sorted(picture.caption for picture in pictures)


def test_the_sets_of_the_board_show_another_figure_under_the_same_captions():
    folder = paths.TRACKS / "portrait"
    captions = {
        part: sorted(p.read_text("utf-8").strip() for p in (folder / part).rglob("*.txt"))
        for part in (*board_sets.PUBLIC.parts(), "train")
    }
    for part, pictures in board_sets.PUBLIC.parts().items():
        assert captions[part] == sorted(one.caption for one in pictures)
    assert {*captions["exchanged/train"]} < {*captions["train"]}
    seen = {
        part: [thumbnail(open_picture(path)) for path in files(folder / part)]
        for part in (*captions, "heldout")
    }
    for one, other in itertools.combinations(seen, 2):
        # The second held-out set has the training colours, and steps look alike: it is held out
        # from what learnt the first one by heart.
        least = 0.02 if {one, other} == {"train", "heldout2"} else 0.2
        assert min(difference(a, b) for a in seen[one] for b in seen[other]) > least


def test_a_seed_makes_sets_of_its_own_and_the_same_ones_again():
    one, again, other = (board_sets.of_seed(seed) for seed in ("one", "one", "other"))
    assert one == again != other
    assert one.figure in portrait.FIGURES
    assert one.parts().keys() == board_sets.PUBLIC.parts().keys()
    assert len(one.parts()["exchanged/train"]) == 42


def test_no_pose_and_no_colour_of_the_robot_is_in_both_parts():
    train, heldout = portrait.parts().values()
    for field in ("pose", "colour"):
        assert not {getattr(p, field) for p in train} & {getattr(p, field) for p in heldout}


@pytest.mark.parametrize(("maker", "field"), [(silhouette, "name"), (halves, "thing")])
def test_no_thing_is_in_both_parts(maker, field):
    train, heldout = (maker.parts()[part] for part in ("train", "heldout"))
    assert not {getattr(p, field) for p in train} & {getattr(p, field) for p in heldout}


@pytest.mark.parametrize("name", WANTED)
def test_no_held_out_picture_can_be_trained_on(name):
    track = load_track(name)
    train, heldout = (
        [thumbnail(open_picture(path)) for path in files(folder)]
        for folder in (track.train_dir, track.heldout_dir)
    )
    assert min(difference(a, b) for a in train for b in heldout) > 0.05


def test_every_real_picture_of_halves_is_a_hit_and_with_its_colours_swapped_it_is_none():
    track = load_track("halves")
    pixels, captions = read_folder(track.heldout_dir, track.file.resolution)
    prompts = [measure.asked(caption, "binding") for caption in captions]
    assert all(binding_hits(pixels, prompts, track.file.colours))
    swapped = [Prompt(**p.model_dump() | {"ink": p.lower, "lower": p.ink}) for p in prompts]
    assert not any(binding_hits(pixels, swapped, track.file.colours))


@pytest.mark.parametrize("name", WANTED)
def test_the_prompts_of_colours_and_of_a_style_ask_for_what_their_texts_say(name):
    for prompt in load_track(name).file.prompts:
        if prompt.background is not None:
            assert re.search(rf"\b{prompt.background} background", prompt.text)
        if prompt.lower is not None:
            assert f" {prompt.ink} and {prompt.lower} " in prompt.text
        if prompt.like is not None:
            assert spoken(prompt.like) in prompt.text


@pytest.mark.parametrize("name", WANTED)
def test_what_was_measured_is_of_todays_track_and_the_reference_shows_what_the_base_does_not(name):
    found = page.measured()[name]
    assert found["protocol"] == load_track(name).protocol_hash()
    at_most, at_least = WANTED[name]
    assert found["base"]["hit_rate"] <= at_most
    reference = page.first_seed(found["variants"]["reference"])
    assert reference["hit_rate"] >= at_least
    assert reference["gain"] > 0.1
    assert found["real pictures"]["hit_rate"] > 0.95


def variant(rank, gains):
    """A variant's figures by seed, with made-up gains."""
    seeds = {
        str(n): {"gain": gain, "train_gain": gain + 0.05, "hits": [True, False], "drift": 0.1}
        for n, gain in enumerate(gains)
    }
    return {"rank": rank, "seeds": seeds}


def test_variants_are_told_apart_by_differences_paired_by_seed():
    # Seeds differ by ten points, the two variants by one in each seed.
    reference, other = variant(4, [0.2, 0.3, 0.4]), variant(4, [0.211, 0.31, 0.409])
    lines = page.variants_table("portrait", {"reference": reference, "rate x 10": other})
    assert "| rank 4, rate x 1 (reference) | 3 | +30.0% |  | +5.0% | 50% | 0.100 |" in lines
    assert "| rate x 10 | 3 | +31.0% | +1.0 (+0.8 to +1.2) | +5.0% | 50% | 0.100 |" in lines


def test_of_one_seed_no_interval_is_told():
    variants = {"reference": variant(4, [0.2, 0.3]), "rank 1": variant(1, [0.15])}
    assert "| rank 1 | 1 | +15.0% | -5.0 | +5.0% | 50% | 0.100 |" in page.variants_table(
        "a", variants
    )


def test_what_the_eye_saw_of_other_weights_does_not_count(monkeypatch):
    tracks = page.measured()
    assert page.agreement()[0] > 0
    changed = {name: found | {"protocol": "of other weights"} for name, found in tracks.items()}
    monkeypatch.setattr(page, "measured", lambda: changed)
    assert page.agreement()[0] == 0
    assert "looked at" not in page.tables()


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Measure without models; returns what was trained, as (rank, times rate, seed)."""
    look, trained = SimpleNamespace(drawn=[Image.new("RGB", (64, 64))]), []
    bench = SimpleNamespace(base=look, learnt=[0], look=lambda _: look)

    def train(_, variant, seed):
        trained.append((variant.rank, variant.times_rate, seed))
        return None, 1.0

    stand_ins = {
        "FOLDER": tmp_path,
        "DRAWN": tmp_path / "drawn",
        "load_pipeline": lambda _: None,
        "Bench": lambda *_: bench,
        "figures_of": lambda *_: {"gain": 0.1, "hit_rate": 1.0, "hits": [True]},
        "real_pictures": lambda *_: {},
        "trained": train,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(measure, name, stand_in)
    return trained


def test_what_is_measured_is_kept_and_further_seeds_are_added(quick, tmp_path, capsys, monkeypatch):
    track = load_track("portrait")
    measure.measure(track, ["reference", "rate x 10"], [0], fresh=False)
    measure.measure(track, ["reference", "rate x 10"], [0, 1], fresh=False)
    assert quick == [(4, 1, 0), (4, 10, 0), (4, 1, 1), (4, 10, 1)]
    found = json.loads((tmp_path / "portrait.json").read_bytes())
    assert [[*one["seeds"]] for one in found["variants"].values()] == [["0", "1"]] * 2
    with Image.open(tmp_path / "portrait.webp") as sheet:
        assert sheet.height == 3 * (measure.SIDE_PX + 2 * measure.GAP_PX)
    measure.measure(track, ["reference"], [0], fresh=True)
    assert quick[-1] == (4, 1, 0)
    assert len(quick) == 5
    monkeypatch.setattr(Track, "protocol_hash", lambda _: "of other weights")
    measure.measure(track, ["rate x 10"], [0], fresh=False)
    found = json.loads((tmp_path / "portrait.json").read_bytes())
    assert [*found["variants"]] == ["rate x 10"]
    assert "stays as it is" not in capsys.readouterr().out


def test_a_sheet_whose_pictures_are_on_another_machine_is_left_alone(quick, tmp_path, capsys):
    track = load_track("portrait")
    measure.measure(track, ["reference"], [0], fresh=False)
    before = (tmp_path / "portrait.webp").read_bytes()
    shutil.rmtree(tmp_path / "drawn")
    measure.measure(track, ["reference", "rate x 10"], [0], fresh=False)
    assert quick[-1] == (4, 10, 0)
    assert (tmp_path / "portrait.webp").read_bytes() == before
    assert "the sheet stays as it is, reference not drawn here" in capsys.readouterr().out


def test_the_command_knows_every_track_that_the_page_shows():
    assert set(measure.SHOWN) == set(page.measured())
    assert all(shown.variants[0] == page.REFERENCE for shown in measure.SHOWN.values())


def test_the_page_says_what_was_measured():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_tables(text) == text


def test_a_hundred_pictures_were_looked_at_and_on_most_the_judge_is_right():
    count, agreed, judge_only, eye_only = page.agreement()
    assert count >= 100
    assert agreed + judge_only + eye_only == count
    assert agreed / count >= 0.85
