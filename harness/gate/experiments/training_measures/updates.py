"""What the optimiser is given, and what it makes of it."""

from __future__ import annotations

import statistics

from harness.gate.experiments.training_trace import Trace
from harness.gate.profile.property import Values

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of the reference's AdamW


def known_norms(trace: Trace) -> dict[int, float]:
    """Return the norm of the gradient that came back in each step, before any clipping."""
    sums: dict[int, float] = {}
    for call in trace.watch.calls:
        if call.output_grad is not None and call.miss is not None:
            along = float((call.output_grad.double() * call.miss.sign()).sum())
            steep = trace.watch.steepness(call.after_steps)
            sums[call.after_steps] = sums.get(call.after_steps, 0.0) + along * steep
    return {step: abs(value) for step, value in sums.items()}


def norms(trace: Trace) -> list[tuple[int, float, float, float | None]]:
    """Return step, norm that came back, norm at the optimiser, and cosine, for every step."""
    known, found = known_norms(trace), []
    by_step: dict[int, list[tuple[float, float | None]]] = {}
    for one in trace.watch.steps:
        by_step.setdefault(one.number, []).append((one.grad_norm, one.cosine))
    for step, parts in by_step.items():
        total = sum(norm**2 for norm, _ in parts) ** 0.5
        cosines = [c for _, c in parts if c is not None]
        if step in known and known[step] > 0:
            found.append((step, known[step], total, min(cosines) if cosines else None))
    return found


def gradients(trace: Trace) -> Values:
    """Whether the optimiser gets the gradient of this step, where nothing is clipped."""
    limit = trace.watch.max_grad_norm
    found = norms(trace)
    # A loop that clips to less, or by another norm, clips small gradients, too.
    clipped = [n for _, k, n, _ in found if k > 4 * limit]
    limit = min(limit, statistics.median(clipped)) if clipped else limit
    free = [(k, n) for step, k, n, _ in found if k < limit / 4 and step % 4 != 3]
    return {
        "at the optimiser, as a multiple of what came back": statistics.median(
            n / k for k, n in free
        )
        if len(free) >= 3
        else None
    }


def clipping(trace: Trace) -> Values:
    """What becomes of a gradient that is too long."""
    limit = trace.watch.max_grad_norm
    long = [(k, n, c) for _, k, n, c in norms(trace) if k > 4 * limit]
    cosines = [abs(c) for *_, c in long if c is not None]
    return {
        "norm afterwards, as a multiple of max_grad_norm": statistics.median(
            n / limit for _, n, _ in long
        )
        if len(long) >= 3
        else None,
        "direction kept (cosine)": statistics.median(cosines) if len(cosines) >= 3 else None,
    }


def optimizer(trace: Trace) -> Values:
    """Which optimiser it is, and whether its updates are those of AdamW."""
    kinds = sorted({one.kind for one in trace.watch.steps})
    return {
        "it is": "; ".join(kinds) or "none of torch's",
        "distance of its updates from AdamW's": update_distance(trace),
    }


def update_distance(trace: Trace) -> float | None:
    """Follow AdamW on the gradients that the optimiser found, and compare the updates."""
    distances: list[float] = []
    for place in range(len(trace.watch.watched)):
        first, second, count = None, None, 0
        for one in trace.watch.steps:
            seen = one.grads[place] if one.grads else None
            rate = one.rate_of[place] if one.rate_of else None
            if not one.after or seen is None or rate is None:
                continue
            grad = seen.double()
            count += 1
            first = grad * (1 - BETA1) if first is None else BETA1 * first + (1 - BETA1) * grad
            square = grad.square() * (1 - BETA2)
            second = square if second is None else BETA2 * second + square
            top = first / (1 - BETA1**count)
            below = (second / (1 - BETA2**count)).sqrt() + EPSILON
            decay = trace.config.weight_decay * one.before[place].double()
            wanted = -rate * (top / below + decay)
            made = one.after[place].double() - one.before[place].double()
            norm = float(wanted.norm())
            if norm > 0:
                distances.append(float((made - wanted).norm()) / norm)
    return statistics.median(distances) if distances else None


def learning_rate(trace: Trace) -> Values:
    """The learning rate of some steps, and over the groups."""
    rates: dict[int, list[float]] = {}
    for one in trace.watch.steps:
        rates.setdefault(one.number, []).extend(one.rates)
    if not rates:
        return {}
    warm, asked = trace.config.lr_warmup_steps, trace.config.learning_rate
    last = max(rates)
    names = {
        "in step 1": 0,
        "in the middle of the warm-up": warm // 2 - 1,
        "after the warm-up": warm,
        "in the middle": last // 2,
        "in the last step": last,
    }
    found: Values = {
        name: max(rates[step]) / asked if step in rates else None for name, step in names.items()
    }
    high, low = max(rates[last]), min(rates[last])
    found["fastest group beside the slowest"] = high / low if low else None
    return found


def trained(trace: Trace) -> Values:
    """Which of the adapter's tensors are trained, and what else is."""
    if not trace.watch.steps:
        return {"share of the adapter that moved": trace.moved_share}
    held = frozenset().union(*(one.held for one in trace.watch.steps))
    mine = frozenset(trace.watch.number)
    return {
        "share of the adapter in the optimiser": len(held & mine) / max(1, len(mine)),
        "share of the adapter that moved": trace.moved_share,
        "other tensors in the optimiser": float(len(held - mine)),
    }


def returned(trace: Trace) -> Values:
    """Whether the weights handed back are those of the last step."""
    if not trace.watch.latest:
        return {"distance from the last step's": None}
    pairs = zip(trace.returned, trace.watch.latest, strict=True)
    apart = sum(float((a - b).double().norm()) for a, b in pairs)
    size = sum(float(b.double().norm()) for b in trace.watch.latest)
    return {"distance from the last step's": apart / size if size else 0.0}
