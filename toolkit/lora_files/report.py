"""Look at a LoRA file: what is in it, how strong it is where, who loads it, what is wrong."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from . import in_diffusers
from .factors import norm
from .families import misfit
from .header import Entry, Header, read_header
from .layout import PARTS, UNET, Layout, sd1_layout
from .memory import Lora
from .metadata import body_hash
from .names import PEFT_PREFIX, foreign_kind
from .programs import accepted_by_a1111, accepted_by_comfyui
from .read import DIFFUSERS_FILE, PEFT_TENSORS, read_lora

LARGE_MB: Final = 150  # rank 128 in 264 layers as float16


@dataclass
class Report:
    """What `inspect` shows; every field is plain data.

    Args:
        kind: ``LoRA``, or the name of what is in the file instead.
        form: kohya, diffusers or peft.
        layers: Part -> number of layers; with 3x3 convolutions told apart.
        norms: Block -> Frobenius norm of what the LoRA adds to its weights.
        loads_in: Program -> verdict.
        warnings: Everything worth knowing before you use the file.
    """

    path: str
    size_mb: float
    kind: str = "LoRA"
    form: str = ""
    layers: dict[str, int] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    alphas: dict[str, int] = field(default_factory=dict)
    scales: dict[str, int] = field(default_factory=dict)
    dtypes: list[str] = field(default_factory=list)
    parameters: int = 0
    norms: dict[str, float] = field(default_factory=dict)
    loads_in: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the report as JSON, NaN written as null."""
        document = asdict(self)
        document["norms"] = {k: v if math.isfinite(v) else None for k, v in self.norms.items()}
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


OTHER_BASE = "no: it was made for another base model"


def inspect_lora(path: Path, layout: Layout | None = None) -> Report:
    """Examine a file or folder.

    Args:
        path: As for ``read_lora``; NaN, and kinds other than LoRA, are reported instead of refused.
        layout: The base model's layers; None means Stable Diffusion 1.x.

    Raises:
        HubError: Not readable even so.
    """
    files = _files(path)
    headers = {file: read_header(file) for file in files}
    keys = sorted(key for header in headers.values() for key in header.tensors)
    report = Report(str(path), sum(header.file_size for header in headers.values()) / 1e6)
    foreign = Counter(kind for kind in map(foreign_kind, keys) if kind)
    if foreign:
        _describe_foreign(report, foreign, keys, headers)
        return report
    lora = read_lora(path, layout, check_values=False)
    layout = layout or sd1_layout()
    _describe(report, lora, layout)
    tensors = {key: entry for h in headers.values() for key, entry in h.tensors.items()}
    report.loads_in = _verdicts(tensors, lora, layout)
    _warn_of_content(report, lora)
    _warn_of_file(report, keys, headers)
    return report


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    folders = [path, *(path / part for part in PARTS)]
    names = (PEFT_TENSORS, DIFFUSERS_FILE)
    found = [f / name for f in folders for name in names if (f / name).is_file()]
    if not found:
        # `read_lora` knows why, and how to go on.
        read_lora(path)
    return found


def _describe_foreign(
    report: Report, foreign: Counter[str], keys: list[str], headers: dict[Path, Header]
) -> None:
    report.kind = foreign.most_common(1)[0][0]
    report.layers = {"all": len({key.rpartition(".")[0] for key in keys})}
    report.metadata = {k: text for h in headers.values() for k, text in h.metadata.items()}
    report.dtypes = sorted({e.dtype for h in headers.values() for e in h.tensors.values()})
    report.parameters = sum(
        math.prod(e.shape) for h in headers.values() for e in h.tensors.values()
    )
    report.warnings.append(
        f"This is {report.kind}, not a plain LoRA: the other commands refuse it, and so do many "
        "programs, or they load it wrongly without a word."
    )


def _describe(report: Report, lora: Lora, layout: Layout) -> None:
    report.form = lora.source
    for name in lora.layers:
        shape, part = layout.layers[name], name.partition(".")[0]
        kind = f"{shape.kernel}x{shape.kernel} convolution" if shape.is_conv else "linear"
        report.layers[f"{part} {kind}"] = report.layers.get(f"{part} {kind}", 0) + 1
    report.ranks = _told(lora.ranks())
    report.alphas = _told(lora.alphas())
    report.scales = _told(Counter(layer.scale for layer in lora.layers.values()))
    report.dtypes = list(lora.dtypes)
    report.parameters = sum(x.down.numel() + x.up.numel() for x in lora.layers.values())
    report.metadata = dict(sorted(lora.metadata.items()))
    squares: dict[str, float] = {}
    for name, layer in lora.layers.items():
        finite = bool(layer.down.isfinite().all() and layer.up.isfinite().all())
        size = norm(layer) if finite and math.isfinite(layer.alpha) else math.nan
        block = _block(name)
        squares[block] = squares.get(block, 0.0) + size * size
    sentence = misfit(lora, layout)
    report.warnings += [sentence] if sentence else []
    report.norms = {block: math.sqrt(square) for block, square in squares.items()}


def _told(counts: Mapping[int, int] | Mapping[float, int]) -> dict[str, int]:
    return {f"{value:g}": count for value, count in sorted(counts.items())}


def _block(layer: str) -> str:
    """Return `unet.down_blocks.1` for a layer in it, `text_encoder` for all of that model."""
    pieces = layer.split(".")
    if pieces[0] != UNET:
        return pieces[0]
    return ".".join(pieces[:3] if pieces[1] in ("down_blocks", "up_blocks") else pieces[:2])


def _verdicts(tensors: dict[str, Entry], lora: Lora, layout: Layout) -> dict[str, str]:
    keys = sorted(tensors)
    if misfit(lora, layout):
        return dict.fromkeys(("ComfyUI", "A1111", "diffusers"), OTHER_BASE)
    verdicts = {}
    for program, accepts in (("ComfyUI", accepted_by_comfyui), ("A1111", accepted_by_a1111)):
        count = sum(map(accepts, keys))
        if count == len(keys):
            verdicts[program] = "yes"
        elif count == 0:
            verdicts[program] = "no: it knows none of the keys, and nothing happens"
        else:
            verdicts[program] = f"partly: it ignores {len(keys) - count} of {len(keys)} tensors"
    verdicts["diffusers"] = in_diffusers.verdict(tensors, lora, layout)
    return verdicts


def _warn_of_content(report: Report, lora: Lora) -> None:
    broken, idle = [], []
    for name, layer in lora.layers.items():
        if not (layer.down.isfinite().all() and layer.up.isfinite().all()):
            broken.append(name)
        elif not (layer.up.any() and layer.down.any() and layer.alpha):
            idle.append(name)
    if broken:
        report.warnings.append(
            f"NaN or infinity in {len(broken)} layers, first in {broken[0]}: pictures turn black."
        )
    if idle:
        of_all = "all" if len(idle) == len(lora.layers) else str(len(idle))
        report.warnings.append(
            f"{of_all} layers do nothing (up, down or alpha is zero), first {idle[0]}: untrained?"
        )
    if lora.embeddings:
        report.warnings.append(
            f"Embeddings lie beside the LoRA, of {', '.join(lora.words())}: A1111 takes them from "
            "the file, others do not, and without them the words mean what they always did."
        )
    if not lora.alpha_stated:
        report.warnings.append(
            "The file does not say its alpha; every program takes alpha = rank. Trained with "
            "another one, it acts at the wrong strength."
        )
    if lora.source == "diffusers" and len(lora.ranks()) > 1 and not lora.alpha_stated:
        report.warnings.append("Its ranks differ: older versions of diffusers scale it wrongly.")


def _warn_of_file(report: Report, keys: list[str], headers: dict[Path, Header]) -> None:
    text = [key for key in keys if key.startswith(("lora_te_", "lora_te1_"))]
    if any("_text_model_" not in key for key in text):
        report.warnings.append(
            "The text encoder's keys lack `text_model`: A1111 and ComfyUI ignore them. `convert` "
            "puts it in."
        )
    if report.form == "kohya" and not report.metadata:
        report.warnings.append("No metadata: A1111 shows it as of unknown version.")
    if report.form == "kohya" and "BF16" in report.dtypes:
        report.warnings.append("bfloat16: some older programs cannot read it.")
    if any(key.startswith(PEFT_PREFIX) for key in keys):
        report.warnings.append("PEFT's own format: `convert` it for any other program.")
    if report.size_mb > LARGE_MB:
        report.warnings.append(f"{report.size_mb:.0f} MB is much for a LoRA: see `resize`.")
    for file, header in headers.items():
        stated = header.metadata.get("sshs_model_hash")
        if stated and stated != body_hash(file.read_bytes()):
            report.warnings.append(
                "Its tensors are not those that its hash was made of: it was changed since."
            )
