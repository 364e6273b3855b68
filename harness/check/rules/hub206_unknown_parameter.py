"""HUB206: a hook asks for something that it is never handed."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.hook_functions import hook_functions
from harness.check.hooks import parameters_of
from harness.check.problem import Problem, Severity
from toolkit.core.text import suggestion

ID = "HUB206"
TITLE = "A hook has an unknown parameter"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare the parameters with the contract's; leaving some out is fine."""
    for hook, marked in hook_functions(folder):
        known = parameters_of(hook)
        arguments = marked.function.args
        for argument in (*arguments.posonlyargs, *arguments.args):
            if argument.arg not in known:
                yield Problem(
                    f"The hook {hook!r} has no parameter {argument.arg!r}.",
                    suggestion(argument.arg, known),
                    marked.module.path,
                    argument.lineno,
                )
