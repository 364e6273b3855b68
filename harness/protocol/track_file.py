"""What a track.toml may say, field by field; ``docs/protocol.md`` explains it in words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from toolkit.core.record import Record

PromptKind = Literal["instance", "context", "neighbour", "unrelated"]
PROMPT_KINDS: tuple[PromptKind, ...] = ("instance", "context", "neighbour", "unrelated")

# Prompts whose pictures should show what was learnt; the others should not.
LEARNT_KINDS: tuple[PromptKind, ...] = ("instance", "context")

Level = Annotated[int, Field(ge=0, le=255)]


class GridSpec(Record):
    """The frozen grid of (held-out picture, timestep, noise) on which the loss is measured."""

    timesteps: tuple[Annotated[int, Field(ge=0, le=999)], ...] = Field(
        min_length=3, description="ascending, 0 to 999, at least one in each third"
    )
    noises_per_picture: int = Field(ge=1, description="noise tensors per picture and timestep")
    seed: int = Field(ge=0, description="of the noise tensors")
    batch_size: int = Field(default=64, ge=1, description="items per forward call; memory only")

    @model_validator(mode="after")
    def _in_order_and_in_every_band(self) -> GridSpec:
        if list(self.timesteps) != sorted(set(self.timesteps)):
            raise ValueError("timesteps ascend, each one once")
        if {t * 3 // 1000 for t in self.timesteps} != {0, 1, 2}:
            raise ValueError("each third of 0 to 999 needs a timestep")
        return self


class Sampling(Record):
    """How the trusted sampler draws: the same for all contributions."""

    num_inference_steps: int = Field(default=20, ge=1, le=1000, description="denoising steps")
    guidance_scale: float = Field(default=3.0, ge=0, description="1 switches guidance off")
    seed: int = Field(default=0, ge=0, description="prompt i starts from seed + i")
    batch_size: int = Field(default=16, ge=1, description="pictures drawn at once; memory only")


class Prompt(Record):
    """One text to draw, and what its picture should show."""

    text: str = Field(min_length=1)
    kind: PromptKind = Field(
        description="instance: what was taught; context: it, with a background or word it was not "
        "shown with; neighbour: its class, without the taught word; unrelated: anything else"
    )
    background: str | None = Field(default=None, description="colour the border should have")
    ink: str | None = Field(default=None, description="colour the drawing should have")
    lower: str | None = Field(
        default=None, description="colour of the drawing's lower half; ink is then the upper half's"
    )
    like: str | None = Field(
        default=None, description="stem of the held-out picture to compare with; empty = all"
    )


class JudgeSpec(Record):
    """Which network compares pictures."""

    features: Literal["efficientnet-lite0", "dinov2", "clip"] = "efficientnet-lite0"
    folder: str | None = Field(
        default=None, description="of dinov2 and clip: their files, relative to the repository"
    )

    @model_validator(mode="after")
    def _a_folder_where_one_is_needed(self) -> JudgeSpec:
        if (self.features == "efficientnet-lite0") != (self.folder is None):
            raise ValueError("dinov2 and clip need a folder, efficientnet-lite0 has none")
        return self


class TrackFile(Record):
    """A tracks/<name>/track.toml, field by field."""

    name: str
    title: str
    summary: str
    kind: Literal["subject", "style", "binding"] = Field(
        description="what is taught; a style's `similarity` is measured against other styles"
    )
    base_model: str = Field(description="folder of the base, or a file: relative to the repository")
    pictures: str | None = Field(
        default=None, description="track whose pictures are used; empty = its own"
    )
    resolution: int = Field(ge=8, multiple_of=8, description="in pixels")
    steps: int = Field(ge=1, description="optimiser steps of the budget")
    batch_size: int = Field(ge=1, description="pictures per step of the budget")
    seeds: tuple[int, ...] = Field(min_length=1, description="of a recorded row")
    quick_seeds: int = Field(ge=1, description="how many of them a first verdict uses")
    timeout_s: int = Field(ge=1, description="wall time of one worker, seconds")
    sampling: Sampling = Sampling()
    judge: JudgeSpec = JudgeSpec()
    colours: dict[str, tuple[Level, Level, Level]] = Field(
        default={}, description="name -> sRGB; a colour in a picture is the nearest of them"
    )
    prompts: tuple[Prompt, ...] = Field(min_length=1)
    grid: GridSpec
    sources: tuple[str, ...] = Field(min_length=1, description="origin and licence of the pictures")

    @model_validator(mode="after")
    def _hangs_together(self) -> TrackFile:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: each one once")
        if self.quick_seeds > len(self.seeds):
            raise ValueError(f"quick_seeds: there are only {len(self.seeds)} seeds")
        missing = [kind for kind in PROMPT_KINDS if not self.of_kind(kind)]
        if missing:
            raise ValueError(f"prompts: none of kind {', '.join(missing)}")
        for number, prompt in enumerate(self.prompts):
            for colour in (prompt.background, prompt.ink, prompt.lower):
                if colour is not None and colour not in self.colours:
                    raise ValueError(f"prompts[{number}]: {colour!r} is not one of the colours")
        return self

    def of_kind(self, *kinds: PromptKind) -> tuple[int, ...]:
        """Return the numbers of the prompts of these kinds."""
        return tuple(i for i, prompt in enumerate(self.prompts) if prompt.kind in kinds)

    def for_losses(self) -> TrackFile:
        """Return a track that draws next to nothing, where the loss alone is looked at."""
        prompts = [self.prompts[self.of_kind(kind)[0]] for kind in PROMPT_KINDS]
        return self.model_copy(
            update={
                # `like` names a held-out picture, and there may be others.
                "prompts": tuple(prompt.model_copy(update={"like": None}) for prompt in prompts),
                "sampling": self.sampling.model_copy(update={"num_inference_steps": 1}),
                # A style's contrast pictures belong to its held-out ones.
                "kind": "subject" if self.kind == "style" else self.kind,
            }
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The prompts as texts, in order."""
        return tuple(prompt.text for prompt in self.prompts)

    @property
    def shown(self) -> tuple[int, ...]:
        """Numbers of the prompts on the small sheet: two of what was taught, one of each other."""
        return (*self.of_kind("instance")[:2], *(self.of_kind(k)[0] for k in PROMPT_KINDS[1:]))
