"""[differs] is no part of a contribution's hash, and a copy of a contribution starts with none."""

from __future__ import annotations

import pytest

from harness import paths
from harness.contributions import registry
from harness.contributions.copying import write_copy
from harness.contributions.file import parse
from toolkit.core.hashing import content_hash, without_declarations

PLAIN = b'name = "A"\nsummary = "One sentence."\n\n[settings.lora]\nrank = 4\n'
TABLE = b'\n[differs]\n"training.noise" = "coarse noise on top of the fine one"\n'


@pytest.mark.parametrize("table", [TABLE, TABLE[1:], b"\n" + TABLE, TABLE.rstrip(b"\n")])
def test_the_table_at_the_end_does_not_count(table):
    assert without_declarations(PLAIN + table) == PLAIN


def test_another_declaration_gives_the_same_hash_and_another_setting_does_not(tmp_path):
    hashes = []
    for data in (PLAIN, PLAIN + TABLE, PLAIN.replace(b"4", b"8") + TABLE):
        (tmp_path / "contribution.toml").write_bytes(data)
        hashes.append(content_hash(tmp_path))
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    "data",
    [
        b'summary = """\n[differs]\n"""\nhooks = ["train"]\n',  # the line stands in a text
        PLAIN + TABLE + TABLE,  # not TOML
        PLAIN + b'\n[differs]\n"a" = """\n[settings.train]\n"""\n',  # cut in the middle of a text
        b"name = \xff\n[differs]\n",
        PLAIN,
    ],
)
def test_all_of_a_file_counts_where_the_table_cannot_be_told_from_the_rest(data):
    assert without_declarations(data) == data


def test_a_table_after_it_counts():
    after = b"\n[needs]\npictures_of_one_size = true\n"
    assert b"pictures_of_one_size" in without_declarations(PLAIN + TABLE + after)
    assert b"differs" not in without_declarations(PLAIN + TABLE + after)


def test_a_declaration_is_read_and_needs_a_reason():
    assert parse(PLAIN_FILE + TABLE).file.differs.keys() == {"training.noise"}
    short = parse(PLAIN_FILE + b'[differs]\n"training.noise" = "because"\n')
    assert "at least 20 characters" in short.faults[0].message


PLAIN_FILE = b'name = "Mine"\nauthors = ["me"]\nsummary = "It adds an offset."\nhooks = ["train"]\n'


def test_a_copy_declares_nothing(tmp_path):
    example = registry.load("Example1")
    assert example.file.differs
    write_copy(tmp_path / "Mine", "Mine", example, "me")
    assert "[differs]" not in (tmp_path / "Mine" / "contribution.toml").read_text("utf-8")
    assert "[differs]" in (paths.CONTRIBUTIONS / "Example1" / "contribution.toml").read_text(
        "utf-8"
    )
