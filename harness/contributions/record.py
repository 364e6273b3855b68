"""What a contribution says about itself, and what the hub makes of it."""

from __future__ import annotations

import json
import re

from pydantic import Field, field_validator, model_validator

from toolkit.core.record import Record
from toolkit.core.settings import HOOK_NAMES, REFERENCE_NAME, HookName, Settings

# Also a Python identifier, because the folder is imported as CONTRIBUTIONS.<Name>.src.main.
NAME_PATTERN = re.compile(r"^[A-Za-z][A-Za-z0-9_]{1,38}$")


# Characters of the reason for which a contribution is let off a probe of the gate.
REASON_LENGTH = 20


# Former names of tables: folders that were recorded under them keep their hashes.
OLD_TABLES = {"contract": "gate"}


class GateTable(Record):
    """The ``[gate]`` table of contribution.toml, which older folders call ``[contract]``."""

    exempt: dict[str, str] = Field(
        default={},
        description="probes of the correctness gate that cannot hold here, each with its reason: "
        '{ "HUB-C20" = "it changes the base and restores it on export" }',
    )

    @field_validator("exempt")
    @classmethod
    def _reasons_are_given(cls, exempt: dict[str, str]) -> dict[str, str]:
        for probe, reason in exempt.items():
            if not re.fullmatch(r"HUB-C\d\d", probe):
                raise ValueError(f"{probe!r} is not a probe such as HUB-C20")
            if len(reason.strip()) < REASON_LENGTH:
                raise ValueError(f"{probe} needs a reason of at least {REASON_LENGTH} characters")
        return exempt


class MixTable(Record):
    """The ``[mix]`` table of contribution.toml: hooks that come from other contributions."""

    make_dataset: str | None = Field(
        default=None, pattern=NAME_PATTERN.pattern, description="whose make_dataset it takes"
    )
    make_lora: str | None = Field(
        default=None, pattern=NAME_PATTERN.pattern, description="whose make_lora it takes"
    )
    train: str | None = Field(
        default=None, pattern=NAME_PATTERN.pattern, description="whose train it takes"
    )
    generate: str | None = Field(
        default=None, pattern=NAME_PATTERN.pattern, description="whose generate it takes"
    )

    def named(self) -> dict[HookName, str]:
        """Return the hooks that are given: hook -> contribution."""
        found = {hook: getattr(self, hook) for hook in HOOK_NAMES}
        return {hook: name for hook, name in found.items() if name is not None}


class NeedsTable(Record):
    """The ``[needs]`` table of contribution.toml: what its ``train`` cannot work without."""

    adapter_parameters: tuple[str, ...] = Field(
        default=(),
        description="a trainable tensor of the adapter has one of these in its dotted name",
    )
    dataset_attributes: tuple[str, ...] = Field(
        default=(), description="the data set has all of these attributes"
    )
    pictures_of_one_size: bool = Field(
        default=False, description="all pictures of the data set have one shape: no buckets"
    )


# Control characters, line ends, changes of direction, spaces without width, half characters. A
# TOML file can hold them as escapes, where no look at its bytes finds them.
UNSEEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff"
    "\\ud800-\\udfff]"
)


class ContributionFile(Record):
    """A contribution.toml, field by field."""

    name: str = Field(pattern=NAME_PATTERN.pattern, description="the folder's name")
    authors: tuple[str, ...] = Field(min_length=1, description="who wrote it")
    summary: str = Field(min_length=10, max_length=200, description="one sentence: what it changes")
    license: str = Field(default="MIT", min_length=2, description="SPDX identifier of the code")
    hooks: tuple[HookName, ...] = Field(
        default=(), description="hooks of its own; the others come from the reference"
    )
    dependencies: tuple[str, ...] = Field(
        default=(), description="extra packages, from the hub's allow-list"
    )
    based_on: tuple[str, ...] = Field(default=(), description="contributions it grew from")
    links: tuple[str, ...] = Field(default=(), description="papers and pages, https only")
    settings: Settings = Settings()
    mix: MixTable = MixTable()
    needs: NeedsTable = NeedsTable()
    gate: GateTable = GateTable()
    differs: dict[str, str] = Field(
        default={},
        description="in what it behaves otherwise than the reference, each with the reason: "
        '{ "training.noise" = "an offset for each channel: dark and bright pictures" }',
    )

    @field_validator("differs")
    @classmethod
    def _differences_say_why(cls, differs: dict[str, str]) -> dict[str, str]:
        for name, reason in differs.items():
            if len(reason.strip()) < REASON_LENGTH:
                raise ValueError(f"{name} needs a reason of at least {REASON_LENGTH} characters")
        return differs

    @field_validator("hooks")
    @classmethod
    def _each_hook_once(cls, hooks: tuple[HookName, ...]) -> tuple[HookName, ...]:
        if len(set(hooks)) != len(hooks):
            raise ValueError("each hook is listed once")
        return tuple(sorted(hooks, key=HOOK_NAMES.index))

    @field_validator("authors", "summary", "license", "links")
    @classmethod
    def _one_line_of_visible_text(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        """These stand in terminals, in CI's logs and on pages."""
        for text in (value,) if isinstance(value, str) else value:
            odd = UNSEEN.search(text)
            if odd is not None:
                raise ValueError(f"the character U+{ord(odd[0]):04X} in it cannot be seen")
        return value

    @field_validator("links")
    @classmethod
    def _links_are_https(cls, links: tuple[str, ...]) -> tuple[str, ...]:
        for link in links:
            if not link.startswith("https://"):
                raise ValueError(f"{link!r} does not start with https://")
        return links

    @model_validator(mode="after")
    def _needs_are_of_its_train(self) -> ContributionFile:
        if self.needs != NeedsTable() and "train" not in self.hooks:
            raise ValueError("[needs] says what a train hook needs, and hooks lists no train")
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """What it grew from: what it says, and what it takes hooks from."""
        return tuple(dict.fromkeys((*self.based_on, *self.mix.named().values())))

    def has(self, hook: HookName) -> bool:
        """Tell whether it changes a hook: by code of its own, or by settings."""
        return hook in self.hooks or bool(self.settings.of(hook).model_fields_set)


class Contribution(Record):
    """Something that can be run: the reference, a folder under CONTRIBUTIONS/, or a recipe.

    A recipe takes some hooks from other contributions. Its settings are then those of its parts,
    put together by ``harness.contributions.recipes.combine``, and its hash covers all of them.
    """

    file: ContributionFile
    path: str = Field(description="folder, relative to the repository, with forward slashes")
    module: str = Field(description="dotted name of the module that registers the hooks")
    content_hash: str = Field(description="sha256 over the folder's files, and those of its parts")
    folder_hash: str = Field(
        default="", description="over the folder's files alone; empty: content_hash is just that"
    )
    parts: dict[HookName, Contribution] = Field(
        default={}, description="hooks that come from others, each from whom"
    )
    settings_from: dict[HookName, tuple[str, ...]] = Field(
        default={}, description="hook -> who wrote its settings; the last one wins"
    )
    label: str = Field(default="", description="name of a recipe that has no folder of its own")

    @property
    def name(self) -> str:
        """What rows and folders of runs call it: the folder's name, or the recipe's."""
        return self.label or self.file.name

    def code_of(self, hook: HookName) -> Contribution | None:
        """Return whose code a hook runs; None is the reference's, for want of any other."""
        source = self.parts.get(hook, self)
        return source if hook in source.file.hooks else None

    @property
    def origins(self) -> dict[HookName, str]:
        """Hook -> whose code it runs."""
        found = {hook: self.code_of(hook) for hook in HOOK_NAMES}
        return {hook: one.file.name if one else REFERENCE_NAME for hook, one in found.items()}

    @property
    def header(self) -> dict[str, str]:
        """What the header of a file of weights says about whose work they are."""
        return {
            "hub.name": self.name,
            "hub.origins": json.dumps(self.origins),
            "hub.settings_from": json.dumps(self.settings_from),
        }

    @property
    def own_hash(self) -> str:
        """The hash of its own folder, whatever its parts are."""
        return self.folder_hash or self.content_hash

    @property
    def folders(self) -> tuple[Contribution, ...]:
        """Itself and its parts, each folder once."""
        return tuple({one.path: one for one in (self, *self.parts.values())}.values())
