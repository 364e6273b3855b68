"""The scorer process: clean base + each delta -> figures and pictures."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sandbox.events import EventWriter
from harness.sandbox.files import ANSWER_FILE, EVENTS_FILE
from harness.sandbox.report import report
from harness.scoring.jobs import BENCH_FILE, Entry, EntryScore, ScoreAnswer, ScoreJob
from toolkit.core import atomic
from toolkit.core.errors import DeltaError, HubError, UsageError
from toolkit.deltas.tolerance import TOLERANCE

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL import Image
    from torch import Tensor, nn

    from harness.scoring.measuring import Bench

BASE_LABEL = "base"

Deltas = dict[str, dict[str, "Tensor"]]


def main(job_file: Path) -> None:
    """Read the job, score, write ``answer.json`` beside it."""
    job = ScoreJob.model_validate_json(job_file.read_bytes())
    with EventWriter(job.out / EVENTS_FILE) as events:
        try:
            answer = score(job, events)
        except HubError as error:
            answer = ScoreAnswer(error=report(error))
        except Exception as error:
            traceback.print_exc()
            fault = HubError(f"The scorer failed: {type(error).__name__}: {error}")
            answer = ScoreAnswer(error=report(fault))
    atomic.write_text(job.out / ANSWER_FILE, answer.model_dump_json())


def score(job: ScoreJob, events: EventWriter) -> ScoreAnswer:
    """Measure the base unless it is known, then every entry; one at fault stops no other."""
    events.phase("loading torch", 0.01)
    import torch

    from harness.protocol.base_model import load_pipeline
    from harness.scoring import bench_file
    from harness.scoring.measuring import Bench

    torch.set_num_threads(job.threads)
    torch.backends.cudnn.allow_tf32 = False
    pipeline = load_pipeline(Path(job.base_model), job.device)
    events.phase("measuring the base" if job.bench is None else "reading about the base", 0.3)
    known = bench_file.read(job.bench, pipeline.device) if job.bench is not None else None
    bench, digest = Bench(pipeline, job, known), None
    pictures = {BASE_LABEL: save(bench.base.drawn, job.out, 0)}
    if not job.entries:
        digest = bench_file.write(bench.known, job.out / BENCH_FILE)
    scores: list[EntryScore] = []
    for number, entry in enumerate(job.entries):
        share = 0.4 + 0.6 * number / len(job.entries)
        events.phase(f"measuring {entry.label}, seed {entry.seed}", share)
        try:
            result, drawn = score_entry(pipeline, bench, entry)
        except (DeltaError, UsageError) as error:
            scores.append(EntryScore(label=entry.label, seed=entry.seed, error=report(error)))
            continue
        scores.append(result)
        if drawn and entry.label not in pictures:
            pictures[entry.label] = save(drawn, job.out, number + 1)
    return ScoreAnswer(
        base=bench.figures(bench.base),
        entries=tuple(scores),
        pictures=pictures,
        not_measured=bench.not_measured,
        bench_sha256=digest,
    )


def score_entry(
    pipeline: StableDiffusionPipeline, bench: Bench, entry: Entry
) -> tuple[EntryScore, list[Image.Image]]:
    """Add one delta to the clean base and measure; look at the contribution's own pictures.

    Raises:
        DeltaError: The delta does not fit the base.
        UsageError: A picture that the worker left is none.
    """
    from harness.protocol.base_model import with_models
    from toolkit.deltas.file import PARTS, read_delta
    from toolkit.deltas.probing import add_delta
    from toolkit.images.alike import mean_difference
    from toolkit.images.sheet import open_picture

    own = [open_picture(path) for path in entry.own_pictures]
    judged = bench.judge_pictures(own) if own else None
    if entry.delta is None:
        score = EntryScore(label=entry.label, seed=entry.seed, own_pictures=judged)
        return score, []
    clean: dict[str, nn.Module] = {part: getattr(pipeline, part) for part in PARTS}
    delta = read_delta(entry.delta, clean)
    again = read_delta(entry.again, clean) if entry.again else None
    remade = relative_distance(delta, read_delta(entry.remade, clean)) if entry.remade else None
    if remade is not None and not remade <= TOLERANCE:  # written so that NaN fails too
        raise other_delta(entry, remade)
    merged = {part: add_delta(clean[part], delta[part]) for part in PARTS}
    look = bench.look(with_models(pipeline, **merged))
    differences = [mean_difference(a, b) for a, b in zip(own, look.drawn, strict=False)]
    score = EntryScore(
        label=entry.label,
        seed=entry.seed,
        figures=bench.figures(look),
        own_pictures=judged,
        own_difference=sum(differences) / len(differences) if differences else None,
        determinism=relative_distance(delta, again) if again is not None else None,
        remade_difference=remade,
    )
    return score, look.drawn


def other_delta(entry: Entry, difference: float) -> DeltaError:
    """Say that a saved adapter is not what its training handed over."""
    return DeltaError(
        f"The saved adapter does not bring the trained model back: made again from it in a fresh "
        f"process, the change of weights of seed {entry.seed} differs by {difference:.1e} "
        f"(relative; allowed {TOLERANCE:.0e}).",
        where=entry.label,
        fix="Train only the parameters of the module that make_lora returns, register everything "
        "random in it as a parameter or buffer, and change nothing after train has returned.",
    )


def relative_distance(one: Deltas, other: Deltas) -> float:
    """Return ||one - other|| / ||one|| over all tensors: 0 when a training repeats itself."""
    import torch

    total, apart = 0.0, 0.0
    for part, tensors in one.items():
        for name in tensors.keys() | other[part].keys():
            a, b = (side[part].get(name, torch.zeros(())) for side in (one, other))
            total += float(a.double().square().sum())
            apart += float((a.double() - b.double()).square().sum())
    return (apart / total) ** 0.5 if total else float(apart > 0)


def save(drawn: list[Image.Image], out: Path, slot: int) -> tuple[str, ...]:
    """Write pictures as PNG and return their names."""
    names = []
    for number, picture in enumerate(drawn):
        name = f"{slot}-{number}.png"
        with atomic.replacing(out / name) as temporary:
            picture.save(temporary, "PNG")
        names.append(name)
    return tuple(names)
