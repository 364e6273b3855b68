"""The commands that the hub proposes are commands of the hub, on every track."""

import shlex

import pytest

from harness.commands.cli import build_parser
from harness.protocol.next_step import draw_command, run_command, verify_command
from harness.protocol.track import DEFAULT_TRACK, load_track, track_names


@pytest.mark.parametrize("track", track_names())
def test_what_is_proposed_names_the_track_and_a_prompt_of_it(track):
    file = load_track(track).file
    for command in (draw_command("Foo", file), run_command("Foo", file)):
        words = shlex.split(command)
        assert words[:2] == ["nox", "-s"]
        assert words[3] == "--"
        args = build_parser(words[2]).parse_args([words[2], *words[4:]])
        assert (args.name if words[2] == "generate" else args.names) in ("Foo", ["Foo"])
        if words[2] == "generate":
            # Without a track it draws with the newest training, which may be on one's own pictures.
            assert args.track == (None if track == DEFAULT_TRACK else track)
            assert args.prompt[0] in file.texts
        else:
            assert args.track == track


def test_a_style_is_not_asked_for_with_the_word_of_a_subject():
    assert "sks robot" not in draw_command("Foo", load_track("streamline").file)


def test_a_row_is_verified_where_it_was_measured():
    command = verify_command("Foo", load_track("binding").file)
    args = build_parser("verify").parse_args(["verify", *shlex.split(command)[4:]])
    assert (args.row, args.track) == ("Foo", "binding")
