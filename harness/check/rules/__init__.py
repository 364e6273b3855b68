"""Every rule of the check. A rule is a function; a module holds those of one subject.

To add a rule:

1.  Take the module of its subject. Numbers tell the subject, too:

        HUB0xx  basics            the folder's name, the files that it needs, README.md
        HUB1xx  contribution_toml what contribution.toml says
        HUB20x  hooks_found       whether the hub sees the hooks; hook_signatures: what pluggy
        HUB21x                    makes of them
        HUB22x  imports           imports that find other files, or none
        HUB23x  paths_in_code     paths that exist on one machine only
        HUB24x  unsafe_calls      calls that run code without review
        HUB25x  code_at_import    what runs before any hook is called
        HUB3xx  pictures, captions
        HUB4xx  files             kinds and sizes; texts_and_names: encodings and file names;
                                  brought_along: more data than a method needs

2.  Write a function that yields a `Problem` for each place, and mark it:

        @rule("HUB247", "A socket is opened")
        def socket(folder: Folder) -> Iterator[Problem]:
            # Results may not depend on what another machine answers.
            for module, name, call in folder.calls:
                if name == "socket.socket":
                    yield Problem("What is wrong.", "What to do.", *module.at(call))

    A rule is an error unless the decorator says "hint". One that `check --fix` can mend names the
    function that does it: `mend=`. A problem that is not mended says `mendable=False`.

3.  Write docs/checks/HUB247.md and a folder tests/fixtures/check/HUB247_... that breaks the rule;
    the tests ask for both. `nox -s docs` then lists the rule.
"""

from __future__ import annotations

from harness.check.problem import Rule
from harness.check.rules import (
    basics,
    brought_along,
    captions,
    code_at_import,
    contribution_toml,
    files,
    hook_signatures,
    hooks_found,
    imports,
    paths_in_code,
    pictures,
    texts_and_names,
    unsafe_calls,
)

_SUBJECTS = (
    *(basics, contribution_toml, hooks_found, hook_signatures, imports, paths_in_code),
    *(unsafe_calls, code_at_import, pictures, captions, files, texts_and_names),
    brought_along,
)

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (one for subject in _SUBJECTS for one in vars(subject).values() if isinstance(one, Rule)),
        key=lambda one: one.id,
    )
)
