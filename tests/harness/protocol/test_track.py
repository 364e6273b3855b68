"""Tracks: the shipped ones hang together, and a faulty track.toml says what is wrong."""

import hashlib
import shutil

import pytest
from pydantic import ValidationError

from harness import paths
from harness.protocol.track import board_tracks, load_track, shown_names, track_names
from harness.protocol.track_file import TrackFile
from harness.scoring.likeness import rows_of
from harness.scoring.pictures import files, stems
from toolkit.core.errors import UsageError
from toolkit.images.alike import difference, thumbnail
from toolkit.images.sheet import open_picture

IN_PREPARATION = ("halves", "photo", "portrait", "silhouette")
SHIPPED = ("binding", "robot", "sd14-robot", "streamline", *IN_PREPARATION)


def test_these_tracks_are_shipped():
    assert track_names() == sorted(SHIPPED)
    named = set(SHIPPED) - set(shown_names())
    assert named == set(IN_PREPARATION)
    assert {track.file.name for track in board_tracks()} == set(SHIPPED) - named


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("tracks = 3", "tracks"),
        ("tracks = [", "Invalid|Unclosed|array"),
        ("shown = []", "shown"),
    ],
)
def test_faults_in_what_the_board_shows_are_told_with_their_place(
    text, said, tmp_path, monkeypatch
):
    monkeypatch.setattr(paths, "TRACKS", tmp_path)
    if text is not None:
        (tmp_path / "board.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said) as caught:
        board_tracks()
    assert caught.value.where == "tracks/board.toml"
    assert 'tracks = ["robot"]' in caught.value.fix


def test_what_the_board_shows_is_no_part_of_a_figure(tmp_path, monkeypatch):
    shutil.copytree(paths.TRACKS, tmp_path / "tracks")
    before = load_track("portrait").protocol_hash()
    monkeypatch.setattr(paths, "TRACKS", tmp_path / "tracks")
    (tmp_path / "tracks" / "board.toml").write_text('tracks = ["portrait"]', encoding="utf-8")
    shown = load_track("portrait")
    assert [track.file.name for track in board_tracks()] == ["portrait"]
    assert shown.protocol_hash() == before


@pytest.mark.parametrize("name", SHIPPED)
def test_pictures_captions_and_prompts_belong_together(name):
    track = load_track(name)
    assert track.file.name == name
    for folder in (track.train_dir, track.heldout_dir):
        captions = {path.stem for path in (folder / "ImageCaptions").iterdir()}
        assert captions == set(stems(folder))
    for prompt in track.file.prompts:
        assert rows_of(stems(track.heldout_dir), prompt)
    assert (track.pictures / "LICENSE").is_file()
    assert {track.file.prompts[i].kind for i in track.file.shown} == {
        "instance", "context", "neighbour", "unrelated",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["binding", "robot", "streamline"])
def test_no_held_out_picture_can_be_trained_on(name):
    track = load_track(name)
    train, heldout = (
        [thumbnail(open_picture(path)) for path in files(folder)]
        for folder in (track.train_dir, track.heldout_dir)
    )
    assert min(difference(a, b) for a in train for b in heldout) > 0.05


@pytest.mark.parametrize("name", ["silhouette", "streamline"])
def test_each_held_out_drawing_has_its_contrast_in_every_other_style(name):
    track = load_track(name)
    by_picture = [stem.rpartition("-")[0] for stem in stems(track.contrast_dir)]
    assert {by_picture.count(stem) for stem in stems(track.heldout_dir)} == {3}


def test_the_protocol_hash_follows_the_pictures_it_borrows(tmp_path, monkeypatch):
    shutil.copytree(paths.TRACKS, tmp_path / "tracks")
    monkeypatch.setattr(paths, "TRACKS", tmp_path / "tracks")
    before = load_track("sd14-robot").protocol_hash()
    caption = tmp_path / "tracks/robot/heldout/ImageCaptions/example1.txt"
    caption.write_text("another caption")
    assert load_track("sd14-robot").protocol_hash() != before


FIELDS = load_track("robot").file.model_dump()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"quick_seeds": 9}, "only 5 seeds"),
        ({"seeds": (1, 1)}, "each one once"),
        ({"prompts": FIELDS["prompts"][:4]}, "none of kind context, neighbour, unrelated"),
        ({"colours": {}}, "'blue' is not one of the colours"),
        ({"judge": {"features": "clip"}}, "need a folder"),
        ({"judge": {"folder": "models/x"}}, "has none"),
        ({"grid": FIELDS["grid"] | {"timesteps": (500, 50, 950)}}, "ascend"),
        ({"grid": FIELDS["grid"] | {"timesteps": (50, 60, 950)}}, "each third"),
        ({"kind": "mood"}, "kind"),
        ({"stepz": 3}, "stepz"),
    ],
)
def test_a_faulty_track_is_refused(change, complaint):
    with pytest.raises(ValidationError, match=complaint):
        TrackFile.model_validate(FIELDS | change)


def test_an_unknown_track_is_answered_with_those_there_are():
    with pytest.raises(UsageError) as caught:
        load_track("nowhere")
    assert "streamline" in str(caught.value.fix)


def test_the_pictures_are_those_of_the_recipe():
    """The bytes on file, so that a picture cannot change without anybody noticing."""
    digest = hashlib.sha256()
    for name in ("binding", "streamline"):
        for path in sorted((paths.TRACKS / name).rglob("*.png")):
            digest.update(path.relative_to(paths.TRACKS).as_posix().encode() + path.read_bytes())
    assert digest.hexdigest() == "6210de263f36348a5f9cdab7f01100b21739c2a64511f7c8166fa4662be0da30"


def test_the_captions_are_those_of_the_recipe():
    from recipes.icon_tracks import __main__ as recipe

    train, heldout = recipe.bound_pictures()
    wanted = {
        "binding/train": train,
        "binding/heldout": heldout,
        "streamline/train": recipe.style_pictures(recipe.STYLE_TRAIN, 0),
        "streamline/heldout": recipe.style_pictures(recipe.STYLE_HELDOUT, 4),
    }
    wanted["streamline/contrast"] = recipe.contrast_pictures(wanted["streamline/heldout"])
    for folder, pictures in wanted.items():
        files_there = (paths.TRACKS / folder / "ImageCaptions").iterdir()
        found = {path.stem: path.read_text(encoding="utf-8").strip() for path in files_there}
        assert found == {picture.stem: picture.caption for picture in pictures}
    assert not {p.caption for p in train} & {p.caption for p in heldout}
