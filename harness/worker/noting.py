"""Which settings a hook reads: what was typed and no code ever looks at has no effect."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

R = TypeVar("R", bound=BaseModel)

# Methods that hand out all fields at once, past their attributes.
WHOLE = ("__dict__", "model_dump", "model_dump_json", "model_copy")


def noting(config: R) -> tuple[R, set[str]]:
    """Return settings that note which of their fields are read, and the growing set of names.

    They are an instance of the settings' own class and equal in every value. Code that copies,
    pickles or dumps them as a whole counts as reading all of them.
    """
    fields = frozenset(type(config).model_fields)
    read: set[str] = set()

    class Noting(type(config)):  # type: ignore[misc]  # the class is known at run time only
        def __getattribute__(self, name: str) -> Any:
            if name in fields:
                read.add(name)
            elif name in WHOLE:
                read.update(fields)
            return super().__getattribute__(name)

        def __iter__(self) -> Generator[tuple[str, Any], None, None]:
            read.update(fields)
            yield from config

        def __copy__(self) -> Any:
            read.update(fields)
            return config

        def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Any:
            read.update(fields)
            return config

        def __reduce_ex__(self, protocol: object) -> Any:  # a class made here cannot be pickled
            read.update(fields)
            return _itself, (config,)

        def __eq__(self, other: object) -> bool:
            read.update(fields)
            return bool(config == other)

        __hash__ = None  # type: ignore[assignment]

    Noting.__name__, Noting.__qualname__ = type(config).__name__, type(config).__qualname__
    # Not model_dump(): inner records stay what they are.
    values = {name: getattr(config, name) for name in fields}
    noted = Noting.model_construct(_fields_set=config.model_fields_set, **values)
    read.clear()
    return noted, read


def _itself(config: BaseModel) -> BaseModel:
    return config


def unread(typed: Mapping[str, str], read: set[str], who: str, hook: str) -> list[str]:
    """Return a sentence about typed options that a hook never read, or nothing.

    Args:
        typed: Field -> the option that set it.
        read: Fields that were read.
        who: Whose hook it is.
        hook: Its name.
    """
    idle = sorted(option for field, option in typed.items() if field not in read)
    if not idle:
        return []
    return [f"{who}'s {hook} never read {', '.join(idle)}: no effect."]
