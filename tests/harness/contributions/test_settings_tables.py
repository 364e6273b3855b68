"""Settings put into a contribution.toml: on their own lines, comments stay, or refused."""

from __future__ import annotations

import tomllib

import pytest

from harness.contributions.settings_tables import with_settings
from toolkit.core.errors import UsageError

TEXT = """\
name = "Mine" # keep
# and this
[settings.lora]
target_modules = [ # a list
  "to_q",
  "to_k",
]
rank = 4 # why four
[settings.train]
learning_rate = 0.1
"""


def test_values_are_replaced_added_and_get_a_table_where_there_is_none():
    tables = {"lora": {"rank": 2, "target_modules": ("attention",)},
              "train": {"optimizer": "adamw"}, "dataset": {"flip": True}}  # fmt: skip
    text = with_settings(TEXT, tables)
    found = tomllib.loads(text)
    assert found == {
        "name": "Mine",
        "settings": {
            "lora": {"rank": 2, "target_modules": ["attention"]},
            "train": {"learning_rate": 0.1, "optimizer": "adamw"},
            "dataset": {"flip": True},
        },
    }
    assert text.startswith('name = "Mine" # keep\n# and this\n')


@pytest.mark.parametrize(
    "text",
    [
        "settings = {train = {learning_rate = 1.0}}\n",
        "settings.train.learning_rate = 1.0\n",
        "[settings]\ntrain = {learning_rate = 1.0}\n",
        '[settings.train]\na = """\nlearning_rate = 1\n"""\nlearning_rate = 1.0\n',
    ],
)
def test_what_cannot_be_put_on_a_line_is_either_right_or_refused(text):
    wanted = tomllib.loads(text)
    wanted["settings"]["train"] |= {"learning_rate": 0.5, "noise_offset": 0.1}
    try:
        found = with_settings(text, {"train": {"learning_rate": 0.5, "noise_offset": 0.1}})
    except UsageError as error:
        assert "train.noise_offset = 0.1" in str(error)
    else:
        assert tomllib.loads(found) == wanted


def test_the_plainest_other_way_is_refused():
    with pytest.raises(UsageError, match="not written one value a line"):
        with_settings("settings = {train = {learning_rate = 1.0}}\n", {"train": {"seed": 1}})
