"""From the settings of a contribution to what PEFT is called with; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.core.peft_methods import METHODS, Option, near_names


@dataclass(frozen=True)
class AdapterSpec:
    """A method with everything that it is called with."""

    method: str
    config: str
    endings: tuple[str, ...]
    convolutions: bool
    arguments: dict[str, Option]


def build_spec(
    method: str, rank: int, alpha: float, endings: Sequence[str], options: Mapping[str, Option]
) -> AdapterSpec:
    """Put a method's defaults, rank, alpha and the contribution's own options together.

    Args:
        method: A name in ``METHODS``.
        rank: Given to methods that have one.
        alpha: Given to methods that have one.
        endings: A layer is adapted when its dotted name ends with one of these, unless the method
            is made for layers of its own.
        options: More arguments of PEFT's config; they win over the defaults here.

    Raises:
        ValueError: There is no such method.
    """
    if method not in METHODS:
        near = near_names(method)
        hint = f" Near names: {', '.join(near)}." if near else f" Known: {', '.join(METHODS)}."
        raise ValueError(f"There is no method {method!r}.{hint}")
    chosen = METHODS[method]
    arguments: dict[str, Option] = dict(chosen.options)
    if chosen.rank is not None:
        arguments[chosen.rank] = rank
    if chosen.alpha is not None:
        arguments[chosen.alpha] = alpha
    return AdapterSpec(
        method=method,
        config=chosen.config,
        endings=chosen.targets or tuple(endings),
        convolutions=chosen.convolutions,
        arguments={**arguments, **options},
    )
