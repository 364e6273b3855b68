"""All situations, in the order of the page."""

from tests.situations.tables import (
    bases,
    calls,
    captions,
    colours,
    contests,
    files,
    habits,
    imports,
    options,
    runs,
    steps,
)

SITUATIONS = [
    case
    for table in (
        captions,
        files,
        imports,
        colours,
        runs,
        bases,
        options,
        steps,
        calls,
        contests,
        habits,
    )
    for case in table.CASES
]
