"""The reader of contribution.toml: lines, words, and never an exception."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contributions import toml_lines
from harness.contributions.file import MAX_BYTES, parse, read_contribution_file

GOOD = 'name = "Clean"\nauthors = ["A Tester"]\nsummary = "A small contribution."\n'


def read(tmp_path: Path, text: str | bytes):
    path = tmp_path / "CONTRIBUTIONS" / "Clean" / "contribution.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_contribution_file(path, root=tmp_path)


def test_good_file(tmp_path):
    file, findings = read(tmp_path, GOOD + 'hooks = ["train", "make_lora"]\n')
    assert findings == []
    assert file is not None
    assert file.hooks == ("make_lora", "train")


def test_missing_file(tmp_path):
    file, (finding,) = read_contribution_file(tmp_path / "contribution.toml", root=tmp_path)
    assert file is None
    assert (finding.rule, finding.path) == ("HUB004", "contribution.toml")


def test_address_is_relative_to_the_repository(tmp_path):
    file, (finding,) = read(tmp_path, GOOD + "rank = 3\n")
    assert file is None
    assert finding.path == "CONTRIBUTIONS/Clean/contribution.toml"
    assert (finding.rule, finding.line) == ("HUB102", 4)
    assert finding.fix == "It belongs into the table [settings.lora]."


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    file, findings = read(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert file is not None and findings == []


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b'name = "Clean"\nauthors = \xff\n', 2, "not UTF-8"),
        (b"a = 1\n" * MAX_BYTES, None, "larger than 64 KiB"),
        (b"a = " + b"[" * 30_000, None, "nested more than"),
        (b"a = " + b"[" * 20 + b"]" * 20, None, "nested more than"),
        (b"a." * 5000 + b"b = 1", None, "nested more than"),
        (b"\n\na = = 1\n", 3, "not valid TOML"),
        (b'a = """never ends\n\n', 1, "not valid TOML"),
        (b"a = " + b"9" * 5000, 1, "thousands of digits"),
    ],
)
def test_unreadable_files(tmp_path, data, line, words):
    file, (finding,) = read(tmp_path, data)
    assert file is None
    assert (finding.rule, finding.line) == ("HUB101", line)
    assert words in finding.message


def test_no_word_of_pydantic_reaches_the_reader(tmp_path):
    wrong = "name = 1\nauthors = []\nsummary = true\nhooks = 3\nlinks = {a = 1}\nsettings = 4\n"
    _, findings = read(tmp_path, wrong + 'license = ""\nbased_on = [1979-05-27]\n')
    assert len(findings) == 8
    assert [finding.line for finding in findings] == list(range(1, 9))
    for finding in findings:
        text = finding.message + finding.fix
        assert not any(word in text.lower() for word in ("input", "valid ", "tuple", "pydantic"))


def test_hooks_twice(tmp_path):
    _, (finding,) = read(tmp_path, GOOD + 'hooks = ["train", "train"]\n')
    assert (finding.line, finding.message) == (4, "hooks: each hook is listed once.")


def test_scanner_knows_every_kind_of_line():
    text = '''
# comment with = and [
"quoted key" = 'x'
a.b = { c = 1, d = [1,
  2] }
long = """
[not.a.table]
key = 1 \\"""
"""
list = [
  "a", # one ]
  ["b",
   'c'],
]

[table."with.dot"]
k = 1979-05-27T07:32:00Z

[[many]]
x = 1
[[many]]
x = 2
'''
    lines = toml_lines.scan(text)
    assert lines[("quoted key",)] == 3
    assert lines[("a", "b", "c")] == 4
    assert lines[("a", "b", "d", 1)] == 5
    assert lines[("long",)] == 6
    assert lines[("list", 0)] == 11
    assert lines[("list", 1, 1)] == 13
    assert lines[("table", "with.dot", "k")] == 17
    assert lines[("many", 0, "x")] == 20
    assert lines[("many", 1, "x")] == 22
    assert toml_lines.line_of(lines, ("many", 1, "y")) == 21
    assert toml_lines.line_of(lines, ("nowhere",)) == 1


def test_file_that_cannot_be_opened(tmp_path):
    folder = tmp_path / "contribution.toml"
    folder.mkdir()
    file, findings = read_contribution_file(folder, root=tmp_path)
    assert file is None and findings[0].rule == "HUB004"


def test_parse_keeps_values_when_the_schema_fails():
    document = parse(b'hooks = ["train"]\n')
    assert document.file is None
    assert document.values == {"hooks": ["train"]}
