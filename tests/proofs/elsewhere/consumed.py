"""Our files in other programs: which files, for which base, and what is not known yet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from harness import paths
from harness.contributions import registry
from toolkit.base_models.load import load_pipeline
from toolkit.drawings.loras import layout_of
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.write import write_lora

from . import filled, trained
from .base import narrow_pipeline, weights_of
from .consumers import Consumer, Ready, ready
from .merging import Ours, ours, tried
from .programs import Program
from .results import Base, Consumed, Elsewhere, Made
from .trained import FILES
from .wide import wide_pipeline

EVERY_LAYER = "all 354 layers"
BLOCK = "text_encoder.text_model.encoder.layers.0"
TEXT = tuple(f"{BLOCK}.{end}" for end in ("self_attn.q_proj", "self_attn.out_proj", "mlp.fc1"))
# The second file is of another rank, and of the text encoder, too.
SECOND_RANK = 3
# What may be a fault of ours is run again.
AGAIN = ("differs", "fails")


class Table:
    """Runs what is not known yet.

    Args:
        result: What is known.
        programs: What is on this machine.
        chosen: Some programs only; None means all.
        folder: For files.
    """

    def __init__(
        self,
        result: Elsewhere,
        programs: dict[str, Program],
        chosen: Sequence[str] | None,
        folder: Path,
    ) -> None:
        self.folder = folder
        self.known = {one.place: one for one in result.consumed}
        self.programs = [one for one in ready(programs) if not chosen or one[0] in chosen]
        self.versions = {one.name: one.version for one in result.programs}
        self.consumers: dict[str, Consumer] = {}
        self.libraries = "-".join(version(name) for name in ("torch", "transformers"))

    @cached_property
    def wide(self) -> StableDiffusionPipeline:
        """SD 1.4's shapes, one layer of each kind."""
        return wide_pipeline()

    @cached_property
    def embedded(self) -> StableDiffusionPipeline:
        """The base that the repository ships."""
        return load_pipeline(paths.ROOT / "models" / "tiny-sd")

    def narrow(self) -> Iterator[Consumed]:
        """Yield each program on a file of every layer that SD 1.x has, narrow."""
        missing = self.missing("narrow", EVERY_LAYER, "")
        if not missing:
            return
        base = narrow_pipeline()
        everything = every_layer(base)
        files = {form: self.folder / "all" / file for form, file in FILES.items()}
        for form, file in files.items():
            write_lora(everything, file, form, dtype="fp32")  # type: ignore[arg-type]
        yield from self.run(missing, base, files)

    def trained(self, names: Sequence[str]) -> Iterator[Consumed]:
        """Yield each program on files that the real commands trained and exported."""
        for name in names:
            missing = self.missing("trained", name, inputs_of(name))
            if missing:
                files, _ = trained.files_of(name)
                yield from self.run(missing, self.embedded, files)

    def sd14(self, name: str) -> Iterator[Consumed | Made]:
        """Yield how a contribution's files were made, then each program on them."""
        missing = self.missing("SD 1.4", name, inputs_of(name))
        if missing:
            files, about = filled.files_of(name, self.wide)
            yield Made(name=name, **about)
            yield from self.run(missing, self.wide, files)
            filled.remove(name)

    def missing(self, base: Base, what: str, inputs: str) -> list[tuple[Ready, Consumed]]:
        """Return the programs and rows that are to be run."""
        found = []
        for one in self.programs:
            for form in one[1]:
                stamp = f"{inputs} {self.versions[one[0]]} {self.libraries}".strip()
                row = Consumed(what=what, program=one[0], form=form, base=base, inputs=stamp)
                known = self.known.get(row.place)
                if known is None or known.inputs != stamp or known.outcome in AGAIN:
                    found.append((one, row))
        return found

    def run(
        self,
        missing: list[tuple[Ready, Consumed]],
        base: StableDiffusionPipeline,
        files: dict[str, Path],
    ) -> Iterator[Consumed]:
        """Yield the rows, filled."""
        pairs: dict[str, tuple[Ours, Ours]] = {}
        clean = fingerprint(base)
        for (name, _, make), row in missing:
            if row.form not in files:  # its export is refused
                continue
            if row.form not in pairs:
                first = ours(files[row.form], base)
                pairs[row.form] = first, self.second(first, row.form, base)
            twin = self.twin(row, pairs[row.form][0])
            if twin is not None:
                own = {"what": row.what, "inputs": row.inputs, "like": twin.what}
                yield twin.model_copy(update=own)
                continue
            if name not in self.consumers:
                self.consumers[name] = make()
            found = tried(row, self.consumers[name], base, *pairs[row.form])
            self.known[found.place] = found
            yield found
        if fingerprint(base) != clean:  # what is not to change is shared, not copied
            raise RuntimeError("A program changed layers that no file is of.")

    def twin(self, row: Consumed, first: Ours) -> Consumed | None:
        """Return the row of another contribution whose file has the very same tensors.

        Settings of the training alone make no other adapter, and all are filled alike.
        """
        for one in self.known.values():
            same = (one.base, one.program, one.form) == (row.base, row.program, row.form)
            current = one.inputs.split()[1:] == row.inputs.split()[1:]
            if same and current and one.tensors == first.digest and not one.like:
                return one if one.what != row.what else None
        return None

    def second(self, first: Ours, form: str, base: StableDiffusionPipeline) -> Ours:
        """Return another file: of the same layers, and of the text encoder's first block."""
        known = layout_of(base).layers
        layers = dict.fromkeys([*first.deltas, *(name for name in TEXT if name in known)])
        path = Path(tempfile.mkdtemp(dir=self.folder)) / FILES[form]
        lora = random_lora(base, list(layers), SECOND_RANK, 2)
        write_lora(lora, path, form, dtype="fp32")  # type: ignore[arg-type]
        return ours(path, base)


def fingerprint(pipeline: StableDiffusionPipeline) -> list[float]:
    """Return a number for each layer that changes with its weight."""
    return [float(weight.abs().sum()) for weight in weights_of(pipeline, copy=False).values()]


def inputs_of(name: str) -> str:
    """Return what a contribution's files are made of."""
    hashes = (registry.load_any(name).content_hash, registry.load_reference().content_hash)
    return " ".join(one.removeprefix("sha256:")[:12] for one in hashes)


def every_layer(pipeline: StableDiffusionPipeline) -> Lora:
    """Return a random LoRA of rank 4 on every layer of a pipeline."""
    return random_lora(pipeline, list(layout_of(pipeline).layers), 4, 1)


def random_lora(
    pipeline: StableDiffusionPipeline, names: Sequence[str], rank: int, seed: int
) -> Lora:
    """Return a random LoRA on some layers of a pipeline."""
    generator = torch.Generator().manual_seed(seed)
    layers = {}
    for name in names:
        shape = layout_of(pipeline).layers[name]
        kernel = (shape.kernel, shape.kernel) if shape.is_conv else ()
        ones = (1, 1) if shape.is_conv else ()
        down = torch.randn(rank, shape.in_features, *kernel, generator=generator) * 0.1
        up = torch.randn(shape.out_features, rank, *ones, generator=generator) * 0.1
        layers[name] = LoraLayer(down, up, rank / 2)
    return Lora(layers)
