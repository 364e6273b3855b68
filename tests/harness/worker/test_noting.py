"""Settings that note who reads them."""

from __future__ import annotations

import copy
import pickle

import pytest

from harness.worker.noting import noting, unread
from toolkit.core.settings import GenerateConfig, LoraConfig, TrainConfig

CONFIGS = [TrainConfig(steps=7), LoraConfig(rank=3), GenerateConfig(seed=4)]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_they_are_the_settings(config):
    noted, read = noting(config)
    assert isinstance(noted, type(config))
    assert read == set()
    for name in type(config).model_fields:
        assert getattr(noted, name) == getattr(config, name)
        assert name in read
    assert repr(noted) == repr(config)


def test_one_field_is_noted_when_it_is_read():
    noted, read = noting(TrainConfig(steps=7))
    assert noted.steps == 7
    assert read == {"steps"}


def test_a_property_reads_what_it_is_made_of():
    noted, read = noting(LoraConfig(rank=3))
    assert noted.effective_alpha == 3
    assert read >= {"alpha", "rank"}


@pytest.mark.parametrize(
    "use",
    [
        lambda noted: noted.model_dump() == {**TrainConfig(steps=7).model_dump()},
        lambda noted: noted.model_copy(update={"steps": 8}).steps == 8,
        lambda noted: dict(noted) == dict(TrainConfig(steps=7)),
        lambda noted: vars(noted)["steps"] == 7,
        lambda noted: copy.copy(noted) == TrainConfig(steps=7),
        lambda noted: copy.deepcopy(noted) == TrainConfig(steps=7),
        lambda noted: pickle.loads(pickle.dumps(noted)) == TrainConfig(steps=7),
        lambda noted: noted == TrainConfig(steps=7),
    ],
)
def test_who_takes_them_whole_has_read_them_all(use):
    noted, read = noting(TrainConfig(steps=7))
    assert use(noted)
    assert read == set(TrainConfig.model_fields)


def test_they_cannot_be_changed():
    noted, _ = noting(TrainConfig(steps=7))
    with pytest.raises(Exception, match="frozen"):
        noted.steps = 8


def test_unread_options_are_one_sentence():
    typed = {"optimizer": "--optimizer", "steps": "--steps", "seed": "--seed"}
    assert unread(typed, {"steps", "seed", "optimizer"}, "Mine", "train") == []
    (sentence,) = unread(typed, {"steps"}, "Mine", "train")
    assert sentence == "Mine's train never read --optimizer, --seed: no effect."
