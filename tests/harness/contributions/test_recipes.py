"""Recipes: what can be typed, whose code and settings come out, and what a saved one says."""

import argparse
import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import paths
from harness.check import check_folder
from harness.commands import new
from harness.contributions import registry
from harness.contributions.recipes.render import keep_command
from harness.contributions.record import Contribution, ContributionFile, NeedsTable
from harness.contributions.registry import load_mixed, parse
from harness.errors import CheckError, MixError
from harness.protocol.track import load_track
from harness.runs.key import run_parts
from harness.sandbox.view import named_paths
from harness.worker.jobs import GenerateJob
from harness.worker.needs import kind_of, require_needs
from toolkit.core.errors import UsageError
from toolkit.core.settings import HOOK_NAMES, TrainSettings

HOOKS = {
    "Adapter": ("make_lora", "[settings.lora]\nrank = 8\n[settings.train]\nlearning_rate = 0.02\n"),
    "Loop": ("train", "[settings.train]\nweight_decay = 0.5\n"),
    "Gamma": ("", "[settings.train]\nmin_snr_gamma = 5.0\n"),
    "Prodigious": ("", "[settings.train]\nlearning_rate = 0.5\n"),
    "Pictures": ("make_dataset", ""),
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A repository with five contributions; their code is never run here."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "CONTRIBUTIONS", tmp_path / "CONTRIBUTIONS")
    for name, (hook, tables) in HOOKS.items():
        write(tmp_path, name, f"hooks = {[hook] if hook else []}\n{tables}")
    return tmp_path


def write(root: Path, name: str, text: str) -> Path:
    folder = root / "CONTRIBUTIONS" / name
    folder.mkdir(parents=True, exist_ok=True)
    head = f'name = "{name}"\nauthors = ["A"]\nsummary = "a test contribution"\n'
    (folder / "contribution.toml").write_text(head + textwrap.dedent(text), encoding="utf-8")
    return folder


# --- whose code, whose settings ------------------------------------------------------------------


def test_a_hook_comes_with_its_code_and_its_table(hub):
    mixed = load_mixed("Adapter", ["train=Loop"])
    assert mixed.origins == dict.fromkeys(HOOK_NAMES, "reference") | {
        "make_lora": "Adapter",
        "train": "Loop",
    }
    settings = mixed.file.settings
    assert settings.lora.rank == 8
    assert settings.train.weight_decay == 0.5
    # Loop writes no learning rate, so the adapter's own holds.
    assert settings.train.learning_rate == 0.02
    assert mixed.settings_from == {"make_lora": ("Adapter",), "train": ("Adapter", "Loop")}


def test_the_learning_rate_of_the_part_that_trains_wins(hub):
    mixed = load_mixed("Adapter", ["train=Prodigious"])
    assert mixed.file.settings.train == TrainSettings(learning_rate=0.5)
    assert mixed.settings_from["train"] == ("Prodigious",)


def test_settings_without_code_run_the_references_code(hub):
    mixed = load_mixed("Loop", ["make_lora=Adapter", "make_dataset=Pictures"])
    assert mixed.origins["make_dataset"] == "Pictures"
    gamma = load_mixed("Adapter", ["train=Gamma"])
    assert gamma.origins["train"] == "reference"
    assert gamma.file.settings.train.min_snr_gamma == 5.0


def test_the_reference_gives_its_defaults_back(hub):
    mixed = load_mixed("Loop", ["make_lora=Adapter"])
    plain = load_mixed("Adapter", ["train=reference"])
    assert mixed.file.settings.train.weight_decay == 0.5
    assert plain.file.settings.train.weight_decay == TrainSettings().weight_decay
    assert plain.file.settings.train.learning_rate == 0.02


def test_names_say_which_hooks_only_where_that_is_not_clear(hub):
    assert load_mixed("Adapter", ["train=Loop"]).name == "Adapter+Loop"
    # Adapter changes train as well (its learning rate), and only make_lora is taken.
    assert load_mixed("Loop", ["make_lora=Adapter"]).name == "Loop+Adapter.make_lora"
    assert load_mixed("Adapter", ["train=reference"]).name == "Adapter+reference.train"


@pytest.mark.parametrize(
    ("head", "taken"),
    [
        ("Adapter", ["train=Loop"]),
        ("Loop", ["make_lora=Adapter", "make_dataset=Pictures"]),
        ("Adapter", ["train=reference"]),
    ],
)
def test_a_recipe_is_found_again_by_the_name_that_its_runs_have(hub, head, taken):
    mixed = load_mixed(head, taken)
    assert registry.load(mixed.name) == mixed


@pytest.mark.parametrize("name", ["Adapter+", "+Loop", "Adapter+Nobody", "Adapter+Loop.generate"])
def test_a_name_of_a_recipe_that_cannot_be_is_a_clear_error(hub, name):
    with pytest.raises(UsageError):
        registry.load(name)


def test_the_hash_is_that_of_all_parts(hub):
    before = load_mixed("Adapter", ["train=Loop"]).content_hash
    assert before != load_mixed("Adapter", ["train=Gamma"]).content_hash
    write(hub, "Loop", 'hooks = ["train"]\n[settings.train]\nweight_decay = 0.6\n')
    assert load_mixed("Adapter", ["train=Loop"]).content_hash != before


def test_the_sandbox_shows_the_folders_of_the_parts_and_of_nobody_else(hub, tmp_path):
    mixed = load_mixed("Adapter", ["train=Loop"])
    job = GenerateJob(
        contribution=mixed,
        reference=registry.load("Gamma").model_copy(update={"path": "src"}),
        base_model="x",
        out=tmp_path / "out",
        adapter=tmp_path / "a",
        lora={},
        prompts=("x",),
        config={},
    )
    shown = {path.name for path in named_paths(job) if path.parent.name == "CONTRIBUTIONS"}
    assert shown == {"Adapter", "Loop"}


def test_a_recipe_travels_to_its_worker_unchanged(hub):
    mixed = load_mixed("Adapter", ["train=Loop"])
    assert Contribution.model_validate_json(mixed.model_dump_json()) == mixed


# --- what cannot be typed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("train", "is not a hook and a name"),
        ("=Loop", "is not a hook and a name"),
        ("trian=Loop", "Did you mean 'train'?"),
        ("train=Lop", "Did you mean 'Loop'?"),
        ("train=../Loop", "There is no contribution"),
        ("make_lora=Loop", "has neither a make_lora of its own nor a table [settings.lora]"),
        ("make_lora=Adapter", "cannot take make_lora from itself"),
    ],
)
def test_a_wrong_word_is_named_with_what_to_write(hub, typed, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        load_mixed("Adapter", [typed])


def test_all_faults_are_said_at_once(hub):
    with pytest.raises(UsageError) as caught:
        load_mixed("Adapter", ["train=Loop", "train=Gamma", "x=Loop", "generate=Nobody"])
    text = str(caught.value)
    assert "taken from Loop already" in text
    assert "'x' is not a hook" in text
    assert "'Nobody'" in text


def test_a_recipe_without_anything_of_its_head_is_refused(hub):
    with pytest.raises(UsageError, match="Nothing of Loop is left") as caught:
        load_mixed("Loop", ["train=Gamma"])
    assert "reference --with train=Gamma" in str(caught.value)


@given(texts=st.lists(st.text(alphabet="make_lortin= ./\nA1é", max_size=20), max_size=4))
def test_nothing_that_is_typed_ends_in_a_traceback(texts):
    try:
        found = parse(texts, "Nobody")
    except UsageError as error:
        assert len(str(error)) < 4000
    else:
        assert len(found) == len(texts)


@given(
    taken=st.dictionaries(st.sampled_from(HOOK_NAMES), st.just("reference")),
    space=st.sampled_from(["", " ", "  "]),
    order=st.randoms(),
)
def test_what_is_typed_is_read_in_any_order_and_with_any_space(taken, space, order):
    words = [f"{hook}{space}={space}{name}" for hook, name in taken.items()]
    order.shuffle(words)
    found = parse(words, "Nobody")
    assert found == taken
    assert list(found) == [hook for hook in HOOK_NAMES if hook in taken]


# --- saved recipes --------------------------------------------------------------------------------


def test_a_saved_recipe_is_the_recipe_it_was_made_of(hub, capsys):
    typed = load_mixed("Adapter", ["train=Loop", "make_dataset=Pictures"])
    words = keep_command(typed).split(" -- ")[1].split()
    parser = argparse.ArgumentParser()
    new.add_arguments(parser)
    new.run(parser.parse_args(words))
    saved = registry.load("MyMix")
    assert saved.origins == typed.origins
    assert saved.settings_from == typed.settings_from
    assert saved.file.settings == typed.file.settings
    assert saved.file.parents == ("Pictures", "Adapter", "Loop")
    assert saved.path == "CONTRIBUTIONS/MyMix"
    findings = check_folder(hub / "CONTRIBUTIONS" / "MyMix", root=hub)
    assert [found.rule for found in findings if found.severity == "error"] == []


def test_what_a_saved_recipe_writes_itself_wins(hub):
    write(hub, "Mine", '[mix]\ntrain = "Loop"\n[settings.train]\nlearning_rate = 0.3\n')
    mine = registry.load("Mine")
    assert mine.file.settings.train == TrainSettings(weight_decay=0.5, learning_rate=0.3)
    assert mine.settings_from["train"] == ("Loop", "Mine")
    assert mine.origins["train"] == "Loop"


def test_every_fault_of_a_saved_recipe_has_its_line(hub):
    write(hub, "Other", '[mix]\ntrain = "Loop"\n')
    write(
        hub,
        "Mine",
        'hooks = ["train"]\n[mix]\nmake_dataset = "Nobody"\nmake_lora = "Other"\ntrain = "Loop"\n',
    )
    with pytest.raises(CheckError) as caught:
        registry.load("Mine")
    lines = {found.line: found.message for found in caught.value.findings}
    assert "'Nobody'" in lines[6]
    assert "recipe itself" in lines[7]
    assert "listed under hooks and taken from Loop" in lines[8]
    assert {found.path for found in caught.value.findings} == {
        "CONTRIBUTIONS/Mine/contribution.toml"
    }


def test_recipes_that_name_each_other_are_refused_and_not_followed(hub):
    write(hub, "One", '[mix]\ntrain = "Two"\n')
    write(hub, "Two", '[mix]\ntrain = "One"\n')
    with pytest.raises(CheckError) as caught:
        registry.load("One")
    assert "its train comes from One" in caught.value.findings[0].fix


def test_a_changed_part_is_named_as_what_made_the_recipe_stale(hub, monkeypatch):
    monkeypatch.setattr("harness.runs.key.MEASURING", ())  # these do not lie in this repository
    monkeypatch.setattr(paths, "LIBRARIES", ())
    write(hub, "Mine", '[mix]\nmake_lora = "Adapter"\ntrain = "Loop"\n')
    reference = registry.load("Gamma")
    track = load_track("robot")
    before = run_parts(registry.load("Mine"), reference, track, "cpu")
    write(hub, "Loop", 'hooks = ["train"]\n[settings.train]\nweight_decay = 0.6\n')
    after = run_parts(registry.load("Mine"), reference, track, "cpu")
    assert {name for name in after if after[name] != before[name]} == {"CONTRIBUTIONS/Loop"}


# --- needs ----------------------------------------------------------------------------------------


class Pictures(list):
    """A data set of two pictures of different shapes."""


def needing(**needs: object) -> Contribution:
    file = ContributionFile(
        name="Picky",
        authors=("a",),
        summary="a test contribution",
        hooks=("train",),
        needs=NeedsTable.model_validate(needs),
    )
    return Contribution(file=file, path="p", module="m", content_hash="sha256:x")


def test_a_train_that_needs_more_than_it_gets_says_all_of_it_before_the_first_step():
    import torch

    shapes = [(torch.zeros(3, 64, 32), "a"), (torch.zeros(3, 32, 64), "b")]
    trainer = needing(
        adapter_parameters=("lora_B",), dataset_attributes=("masks",), pictures_of_one_size=True
    )
    adapter = torch.nn.Linear(2, 2)
    with pytest.raises(MixError) as caught:
        require_needs(trainer, adapter, Pictures(shapes))
    text = str(caught.value)
    assert "called lora_B, and those of this adapter are called weight, bias" in text
    assert "with masks" in text
    assert "64 x 32, 32 x 64" in text or "32 x 64, 64 x 32" in text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("layers.down_blocks.0.lora_A", "lora_A"),
        (
            "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q_boft_R_default",
            "boft_R_default",
        ),
        ("down_blocks_0_attentions_0_proj_in_lora_A_default_weight", "lora_A_default_weight"),
        (
            "mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj_hra_u_default",
            "hra_u_default",
        ),
        ("text_model_encoder_layers_0_self_attn_out_proj_c3a_kernel_default", "c3a_kernel_default"),
        ("up_blocks_1_resnets_0_conv1_w1_a", "w1_a"),
        ("conv1_", "conv1_"),
    ],
)
def test_what_is_missing_is_said_without_the_names_of_layers(name, kind):
    assert kind_of(name) == kind


def test_needs_that_are_met_are_silent():
    import torch

    class Lora(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lora_B = torch.nn.Linear(2, 2)

    trainer = needing(adapter_parameters=("lora_B", "up"), pictures_of_one_size=True)
    require_needs(trainer, Lora(), Pictures([(torch.zeros(3, 64, 64), "a")] * 2))


def test_needs_without_a_train_of_its_own_are_a_fault(hub):
    write(hub, "Mine", "hooks = []\n[needs]\npictures_of_one_size = true\n")
    with pytest.raises(CheckError) as caught:
        registry.load("Mine")
    assert "lists no train" in caught.value.findings[0].message
