"""How the training goes: steps, pictures, chance, and what it leaves."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.gate.experiments.pipelines import changed
from harness.gate.experiments.training_measures.numbers import distinct
from harness.gate.experiments.training_measures.samples import Samples
from harness.gate.experiments.training_measures.texts import Texts, captions, same_dropped
from harness.gate.experiments.training_trace import Trace, TrainingTraces
from harness.gate.profile.property import Values
from harness.gate.profile.training_watch import codes


def steps(trace: Trace) -> Values:
    """How many steps were made, reported and returned, as a multiple of those asked for."""
    asked = trace.config.steps
    return {
        "made": trace.watch.rounds / asked if trace.watch.steps else None,
        "reported": len(trace.reports.numbers) / asked,
        "numbered": ", ".join(map(str, trace.reports.numbers[:3])),
        "losses returned": len(trace.losses) / asked,
    }


def batch(samples: Samples) -> Values:
    """How many pictures a step learns from."""
    asked = samples.trace.config
    made = max(1, len(distinct(samples.step)))
    return {
        "pictures a step, of those asked for": len(samples) / (made * asked.batch_size),
        "different noise, as a share of the pictures": len(
            distinct(samples.x.double().flatten(1).sum(1))
        )
        / max(1, len(samples)),
    }


def order(samples: Samples) -> Values:
    """In which order the pictures come."""
    cards = samples.card
    count = len(codes())
    rounds = len(cards) // count
    if rounds < 4:
        return {}
    turns = cards[: rounds * count].view(rounds, count)
    whole = [len(set(turn)) == count for turn in turns.tolist()]
    changed = (turns[1:] != turns[:-1]).any(1).double()
    counts = torch.bincount(cards, minlength=count)
    return {
        "rounds with every picture once": sum(whole) / rounds,
        "rounds in another order than the one before": float(changed.mean()),
        "rarest picture beside the commonest": float(counts.min() / counts.max()),
    }


def same_draws(one: Trace, other: Trace) -> bool:
    """Tell whether two trainings drew the same timesteps and noise in their first steps."""
    first = Samples(one)
    # A short training tells the factor of its latents less exactly than a long one.
    second = Samples(other, known_factor=first.factor)
    early, late = first.step < 3, second.step < 3
    if not same(first.told[early], second.told[late]):
        return False
    # The noise can be read where it was mixed as the base's schedule says.
    readable = not first.fits_another_schedule and first.told_right > 0.9
    alike = same(first.x[early], second.x[late])  # or else the pictures come in another order
    return not readable or alike or same(first.noise[early], second.noise[late], 0.1)


def same(one: Tensor, other: Tensor, apart: float = 0.0) -> bool:
    """Tell whether two tensors are the same, or nearly so."""
    return one.shape == other.shape and bool(torch.allclose(one, other, rtol=0, atol=apart))


def seed(traces: TrainingTraces) -> Values:
    """Whether another seed gives other draws."""
    same = same_draws(traces.long, traces.other_seed)
    return {"another seed": "changes nothing" if same else "gives other draws"}


def repeatable(traces: TrainingTraces) -> Values:
    """Whether the same training again gives the same draws."""
    same = traces.again is None or same_draws(traces.long, traces.again)
    return {"the same again": "gives the same draws" if same else "gives other draws"}


def generators(traces: TrainingTraces, texts: Texts) -> Values:
    """Whether the draws hang on the generators that the process shares."""
    mine = [name for name in traces.long.generators.split(", ") if name not in ("torch", "none")]
    return {
        "draws from": "the process's" if traces.again is not None else "its own",
        "drops captions by": "its own"
        if same_dropped(texts, Texts(Samples(traces.backwards)))
        else "the process's",
        # The reference seeds torch's at every step, for dropout: leaving it moved is no harm.
        "leaves moved": ", ".join(mine) or "none but torch's",
    }


def mode(trace: Trace) -> Values:
    """In which mode the U-Net trains."""
    calls = trace.watch.calls
    share = sum(call.training for call in calls) / len(calls) if calls else None
    return {"share of calls in training mode": share}


def left_behind(trace: Trace) -> Values:
    """Flags and settings that are others afterwards."""
    return {"changed": changed(trace.state_before, trace.state_after)}


def second_run(traces: TrainingTraces) -> Values:
    """Whether a second training in the process sees its own pictures, not the first one's."""
    one, two = Samples(traces.long), Samples(traces.backwards)
    early, late = one.card[one.step < 3], two.card[two.step < 3]
    texts = Texts(two)
    count = float(len(distinct(two.timesteps)))
    wrong = captions(texts)["share with another picture's"]
    if early.shape != late.shape or not same_draws(traces.long, traces.backwards):
        # Its draws are others, so only the captions can tell.
        return {
            "pictures of the first": None,
            "captions of the first": wrong,
            "different timesteps, after a drawing": count,
        }
    wanted = len(codes()) - 1 - early
    stale = ((late == early) & (late != wanted)).double().mean()
    return {
        "pictures of the first": float(stale),
        "captions of the first": wrong,
        "different timesteps, after a drawing": count,
    }
