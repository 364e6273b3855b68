"""Find contributions on disk and keep the generated ``registry.toml``.

The folders are the truth; the registry is a sorted summary that a command writes, so that two pull
requests never edit the same file by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from harness import paths
from harness.contributions import toml_lines
from harness.contributions.file import read_contribution_file
from harness.contributions.recipes import combine
from harness.contributions.recipes.combine import recipe
from harness.contributions.recipes.faults import mix_refusals, refusal
from harness.contributions.recipes.naming import changed_hooks, ordered
from harness.contributions.record import Contribution, ContributionFile
from harness.errors import CheckError, Finding
from toolkit.core import atomic
from toolkit.core.errors import UsageError
from toolkit.core.hashing import IGNORED_NAMES, content_hash
from toolkit.core.settings import HOOK_NAMES, REFERENCE_NAME, HookName
from toolkit.core.text import near_names, suggestion


def contribution_names() -> list[str]:
    """Return the names of all folders in CONTRIBUTIONS/, sorted without regard to case."""
    if not paths.CONTRIBUTIONS.is_dir():
        return []
    folders = (p for p in paths.CONTRIBUTIONS.iterdir() if p.is_dir())
    names = (p.name for p in folders if p.name not in IGNORED_NAMES and p.name[0] != ".")
    return sorted(names, key=str.casefold)


def is_contribution(name: str) -> bool:
    """Tell whether a folder in CONTRIBUTIONS/ has exactly this name.

    The disk is asked about the one name; a list of all would make a loop over a thousand
    contributions a million names long. Where a disk takes A for a, the list decides.
    """
    plain = bool(name) and name == Path(name).name and name[0] != "." and name not in IGNORED_NAMES
    if not plain or not (paths.CONTRIBUTIONS / name).is_dir():
        return False
    return not (paths.CONTRIBUTIONS / name.swapcase()).exists() or name in contribution_names()


def find_folder(name: str) -> Path:
    """Return the folder of a contribution given its name, or a path inside the repository.

    Raises:
        UsageError: There is no such contribution; the message names near ones.
    """
    if is_contribution(name):
        return paths.CONTRIBUTIONS / name
    as_path = (paths.ROOT / name).resolve()
    if as_path.is_dir() and as_path.is_relative_to(paths.ROOT) and as_path != paths.ROOT:
        return as_path
    names = contribution_names()
    near = near_names(name, names, most=3)
    hint = f"Did you mean: {', '.join(near)}?" if near else f"nox -s list shows all {len(names)}."
    raise UsageError(
        f"There is no contribution named {name!r}.",
        where="CONTRIBUTIONS/",
        fix=f"{hint} To start a new one: nox -s new -- {name or 'MyIdea'}",
    )


def load(name: str) -> Contribution:
    """Read one contribution's description; ``reference`` is ``src/``, ``A+B`` a recipe of two.

    Raises:
        UsageError: There is no such contribution, or it gives another name than its folder's.
        CheckError: Its contribution.toml has faults.
    """
    if name == REFERENCE_NAME:
        return load_reference()
    if "+" in name:
        return load_named(name)
    folder = find_folder(name)
    file, findings = read_contribution_file(folder / "contribution.toml", root=paths.ROOT)
    if file is None:
        raise CheckError(f"{folder.name}/contribution.toml cannot be used.", tuple(findings))
    if file.name != folder.name:
        raise UsageError(
            f"The folder is called {folder.name}, its contribution.toml says {file.name}.",
            where=f"{folder.name}/contribution.toml",
            fix=f'Write name = "{folder.name}", or rename the folder.',
        )
    if not file.mix.named():
        return combine.alone(describe(file, folder))
    require_mixable(file, folder)
    parts = {hook: load(part) for hook, part in file.mix.named().items()}
    return combine.saved(describe(file, folder), parts)


def require_mixable(file: ContributionFile, folder: Path) -> None:
    """Make sure that the ``[mix]`` of a contribution can be put together.

    Raises:
        CheckError: It cannot; each fault has its line.
    """
    lines = toml_lines.scan((folder / "contribution.toml").read_text(encoding="utf-8-sig"))
    findings = tuple(
        Finding(
            rule="HUB108",
            severity="error",
            message=refused.message,
            path=(folder / "contribution.toml").relative_to(paths.ROOT).as_posix(),
            line=toml_lines.line_of(lines, ("mix", hook)),
            fix=refused.fix,
        )
        for hook, refused in mix_refusals(file, paths.ROOT)
    )
    if findings:
        raise CheckError(f"The recipe {file.name} cannot be put together.", findings)


def is_reference(contribution: Contribution) -> bool:
    """Tell by its place, which contributors cannot choose, whether it is the reference."""
    return contribution.path == paths.REFERENCE.name and not contribution.parts


def is_control(contribution: Contribution) -> bool:
    """Tell whether a contribution is one of the hub's own rows, whose place is known beforehand."""
    controls = paths.CONTROLS.relative_to(paths.ROOT).as_posix()
    return contribution.path.startswith(f"{controls}/")


def is_of_the_hub(folder: Contribution) -> bool:
    """Tell by its place whether a folder is the hub's own: ``src/`` or a control."""
    return folder.path == paths.REFERENCE.name or is_control(folder)


def control_names() -> list[str]:
    """Return the names of the controls."""
    return sorted(path.parent.name for path in paths.CONTROLS.glob("*/contribution.toml"))


def load_control(name: str) -> Contribution:
    """Describe one of the hub's own controls."""
    return load(str(paths.CONTROLS / name))


def load_any(name: str) -> Contribution:
    """Describe the reference, a control or a contribution by the name of its row.

    Raises:
        UsageError: There is none of that name.
        CheckError: Its contribution.toml has faults.
    """
    control = name == Path(name).name and (paths.CONTROLS / name / "contribution.toml").is_file()
    return load_control(name) if control else load(name)


def describe(file: ContributionFile, folder: Path) -> Contribution:
    """Put a parsed contribution.toml and its folder together."""
    relative = folder.resolve().relative_to(paths.ROOT)
    return Contribution(
        file=file,
        path=relative.as_posix(),
        module=".".join((*relative.parts, "src", "main")),
        content_hash=content_hash(folder),
    )


def load_reference() -> Contribution:
    """Describe the reference implementation, which needs no contribution.toml."""
    file = ContributionFile(
        name=REFERENCE_NAME,
        authors=("the hub",),
        summary="The reference: plain LoRA on the attention and MLP layers.",
        hooks=HOOK_NAMES,
    )
    return Contribution(
        file=file, path="src", module="src.main", content_hash=content_hash(paths.REFERENCE)
    )


def render_registry() -> str:
    """Return the text of registry.toml for the folders as they are now.

    Raises:
        CheckError: A contribution.toml has faults (all of them are in the error).
    """
    lines = [
        "# Generated by `python -m harness registry`. Do not edit: your folder is the truth.",
        "",
    ]
    findings: list[Finding] = []
    for name in contribution_names():
        try:
            contribution = load(name)
        except CheckError as error:
            findings.extend(error.findings)
            continue
        hooks = ", ".join(f'"{hook}"' for hook in contribution.file.hooks)
        lines += [
            f"[{name}]",
            f'path = "{contribution.path}"',
            f"hooks = [{hooks}]",
            f'content_hash = "{contribution.content_hash}"',
            "",
        ]
    if findings:
        raise CheckError(
            "The registry cannot be written while a contribution.toml has faults.",
            tuple(findings),
            fix="python -m harness check --all",
        )
    return "\n".join(lines)


def registry_is_current() -> bool:
    """Tell whether registry.toml says what the folders say; damaged bytes say something else."""
    return registry_says(paths.REGISTRY, render_registry())


def registry_says(path: Path, text: str) -> bool:
    """Tell whether a registry file is there and says this; it is compared, never interpreted."""
    if not path.is_file():
        return False
    found = path.read_bytes().replace(b"\r\n", b"\n")  # a checkout on Windows
    return found == text.encode()


def write_registry() -> None:
    """Write registry.toml from the folders, atomically."""
    atomic.write_text(paths.REGISTRY, render_registry())


FORM = "Write a hook and a contribution, such as --with train=Example1."


def load_mixed(name: str, taken: Sequence[str]) -> Contribution:
    """Load a contribution and give it the hooks that ``--with`` names.

    Raises:
        UsageError: Some of it makes no sense; everything that does not is named.
        CheckError: A contribution.toml has faults.
    """
    head = load(name)
    if not taken:
        return head
    names = parse(taken, head.file.name)
    parts = {hook: load(source) for hook, source in names.items()}
    left = (changed_hooks(head) | set(head.parts)) - names.keys()
    if head.file.name != REFERENCE_NAME and not left:
        hooks = " ".join(f"--with {hook}={source}" for hook, source in names.items())
        raise UsageError(
            f"Nothing of {head.name} is left in this recipe.",
            where="--with",
            fix=f"Start from the reference: {REFERENCE_NAME} {hooks}",
        )
    return recipe(head, parts)


def load_named(name: str) -> Contribution:
    """Load a recipe by the name that its runs have, such as ``A+B.train``.

    Raises:
        UsageError: Some of it makes no sense; everything that does not is named.
        CheckError: A contribution.toml has faults.
    """
    head, *words = name.split("+")
    taken = []
    for word in words:
        part, *hooks = word.split(".")
        taken += [f"{hook}={part}" for hook in hooks or ordered(changed_hooks(load(part)))]
    return load_mixed(head, taken)


def parse(taken: Sequence[str], owner: str) -> dict[HookName, str]:
    """Read what was typed after each ``--with``; return hook -> name, in the order of a run.

    Args:
        taken: Such as ``train=Example1``.
        owner: The contribution that takes the hooks.

    Raises:
        UsageError: With everything that is wrong.
    """
    found: dict[HookName, str] = {}
    faults: list[str] = []
    for text in taken:
        word, equals, name = (part.strip() for part in text.partition("="))
        hook = next((one for one in get_args(HookName) if one == word), None)
        if not equals or not name or not word:
            faults.append(f"{text!r} is not a hook and a name. {FORM}")
        elif hook is None:
            faults.append(f"{text}: {word!r} is not a hook. {suggestion(word, HOOK_NAMES)}")
        elif hook in found:
            faults.append(f"{text}: {hook} is taken from {found[hook]} already. Name it once.")
        elif (refused := refusal(hook, name, owner, paths.ROOT)) is not None:
            faults.append(f"{text}: {refused.message} {refused.fix}")
        else:
            found[hook] = name
    if faults:
        raise UsageError(
            "This recipe cannot be made:\n" + "\n".join(f"  --with {fault}" for fault in faults),
            fix="docs/mixing.md says what goes together.",
        )
    return {hook: found[hook] for hook in ordered(found)}
