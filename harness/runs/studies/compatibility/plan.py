"""Which pairs there are, and which of them are known already."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from harness.contributions.recipes.combine import LEARNING_RATES, recipe
from harness.contributions.record import Contribution
from harness.protocol.equal_references import first_equal
from harness.runs.studies.compatibility.jobs import Cell, Outcome, Try
from toolkit.core.settings import REFERENCE_NAME, HookName

# (kind of the rows, kind of the columns)
TABLES: tuple[tuple[HookName, HookName], ...] = (
    ("make_lora", "train"),
    ("make_dataset", "train"),
    ("make_lora", "generate"),
)


def all_tries(contributions: Sequence[Contribution], reference: Contribution) -> list[Try]:
    """Return every pair of every table; saved recipes are no sources of hooks."""
    sources = [one for one in contributions if not one.parts]
    return [
        one_try(rows, columns, row, column, reference)
        for rows, columns in TABLES
        for row in (reference, *(one for one in sources if offers(one, rows)))
        for column in (reference, *(one for one in sources if offers(one, columns)))
    ]


def offers(contribution: Contribution, hook: HookName) -> bool:
    """Tell whether a contribution changes a hook; a learning rate alone is no other training."""
    written = contribution.file.settings.of(hook).model_fields_set - set(LEARNING_RATES)
    return hook in contribution.file.hooks or bool(written)


def one_try(
    rows: HookName,
    columns: HookName,
    row: Contribution,
    column: Contribution,
    reference: Contribution,
) -> Try:
    """Return one pair as a recipe of the reference."""
    taken = {
        hook: one
        for hook, one in ((rows, row), (columns, column))
        if one.file.name != REFERENCE_NAME
    }
    mixed = recipe(reference, taken) if taken else reference
    settings = mixed.file.settings.model_dump_json()
    # A reference that was shown to train to the same bits has the same outcomes.
    first = reference.model_copy(update={"content_hash": first_equal(reference.content_hash)})
    code = recipe(first, taken).content_hash if taken else first.content_hash
    parts = f"{code} {first.content_hash} {settings}"
    cell = Cell(
        rows=rows,
        columns=columns,
        row=row.file.name,
        column=column.file.name,
        key=hashlib.sha256(parts.encode()).hexdigest()[:16],
    )
    return Try(cell=cell, recipe=mixed)


def unknown(tries: Sequence[Try], known: Sequence[Outcome]) -> list[Try]:
    """Return the pairs of which no outcome is known, or only that of other code."""
    told = {outcome.cell for outcome in known}
    return [one for one in tries if one.cell not in told]


def current(tries: Sequence[Try], known: Sequence[Outcome]) -> list[Outcome]:
    """Return the known outcomes of today's pairs, in the order of the tables."""
    told = {outcome.cell: outcome for outcome in known}
    return [told[one.cell] for one in tries if one.cell in told]
