"""Captions by a model: proposed on a page, corrected by a person, then written into a copy.

    dataset caption photos --caption blip --caption-model DIR
    (a list and a page in runs/captions/photos: the captions on the page, which saves the list)
    dataset caption photos --use captions.jsonl --out photos-captioned

Nothing in the folder itself is ever changed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from toolkit.core import atomic
from toolkit.core.clip_tokens import CLIP_TOKENS
from toolkit.core.clip_tokens import count as count_tokens
from toolkit.core.errors import DataSetError, UsageError
from toolkit.core.idle import refuse_idle
from toolkit.core.templates import render
from toolkit.images.decode import load_rgb

from .captions import one_line
from .examine import Facts, Progress, examine
from .fair_copy import fair_copy
from .folder import PictureSet
from .layouts import read_folder
from .page import data_url
from .problems import refuse_errors, shown

if TYPE_CHECKING:
    from toolkit.scrapers.captions.compose import CaptionRules
    from toolkit.scrapers.hits import ImageHit

PROPOSED = Path("runs/captions")
LIST, PAGE = "captions.jsonl", "captions.html"
MARK = "picture_sets captions"  # in the head of the page
TEMPLATE = Path(__file__).parent / "templates" / "captions.html"
THUMBNAIL_PX = 256
# Options that say how captions are proposed.
PROPOSING = ("caption_model", "template", "trigger_word", "all", "fresh", "keep_in")
# What a folder without captions is said to lack; here they are made.
ANSWERED = ("captions-none", "caption-missing", "caption-empty")


class Describes(Protocol):
    """Finds words for a picture: one of the scrapers' captioners."""

    @property
    def name(self) -> str:
        """Which model, with a hash of its weights."""
        ...

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return what is in the picture."""
        ...


class Proposal(NamedTuple):
    """A caption for one picture."""

    name: str  # of the picture, relative to the folder
    text: str
    old: str  # what it had


def run(parsed: argparse.Namespace, progress: Progress) -> int:
    """Propose captions, or write corrected ones into a copy; return the exit code.

    Raises:
        UsageError: Options contradict each other, or have no effect.
    """
    if (parsed.use is None) == (parsed.caption is None):
        raise UsageError(
            "Say either who captions (--caption) or which corrected list to use (--use).",
            fix="nox -s dataset -- caption DIR --caption blip --caption-model FOLDER",
        )
    if parsed.use is not None:
        refuse_idle(
            {
                f"--{name.replace('_', '-')} is for proposing, and --use takes a list as it is": (
                    getattr(parsed, name) not in (None, False)
                )
                for name in PROPOSING
            }
        )
        return _apply(parsed, progress)
    if parsed.out is not None:
        raise UsageError("--out belongs to --use.", fix="First look through the proposals.")
    return _propose(parsed, progress)


def _propose(parsed: argparse.Namespace, progress: Progress) -> int:
    from toolkit.scrapers.captions.compose import CaptionRules
    from toolkit.scrapers.captions.writers import make_captioner

    folder: Path = parsed.folder
    out = parsed.keep_in or PROPOSED / folder.resolve().name
    if (out / LIST).exists() and not parsed.fresh:
        raise UsageError(
            "Proposals for a folder of that name are there, perhaps corrected.",
            where=str(out / LIST),
            fix="Use them with --use, or add --fresh to propose anew.",
        )
    found = _read(folder)
    facts, problems = examine(found.pictures, THUMBNAIL_PX, progress)
    refuse_errors(problems, folder)
    try:
        rules = CaptionRules(
            template=parsed.template or "{text}", trigger=parsed.trigger_word or ""
        )
    except ValueError as error:
        raise UsageError(f"--template: {error}", fix="See --help.") from error
    captioner = make_captioner(parsed.caption, "", parsed.caption_model)
    wanted = [each for each in facts if parsed.all or not each.picture.caption]
    proposals = propose(facts, wanted, captioner, rules, folder)
    atomic.write_text(out / LIST, as_lines(proposals))
    page = render(
        TEMPLATE,
        mark=MARK,
        script=SCRIPT,
        script_hash=script_hash(),
        title=folder.resolve().name,
        captioner=captioner.name,
        limit=CLIP_TOKENS,
        cards=[
            (proposal, data_url(each), count_tokens(proposal.text))
            for proposal, each in zip(proposals, facts, strict=True)
        ],
        use=f"nox -s dataset -- caption {folder} --use {LIST} --out {folder.name}-captioned",
    )
    atomic.write_text(out / PAGE, page)
    print(f"{len(wanted)} of {len(facts)} pictures have a proposed caption, by {captioner.name}.")
    print(f"Look through them: {out / PAGE} (or edit {out / LIST}); {folder} is as it was.")
    print(f"Then: nox -s dataset -- caption {folder} --use {out / LIST} --out NEW")
    return 0


def propose(
    facts: Sequence[Facts],
    wanted: Sequence[Facts],
    captioner: Describes,
    rules: CaptionRules,
    folder: Path,
) -> list[Proposal]:
    """Return a caption for each picture: a new one for those that want it, else its own.

    Captioners open files as any program does, so they are handed upright RGB ones.
    """
    from toolkit.scrapers.captions.compose import compose
    from toolkit.scrapers.hits import ImageHit

    proposals, asked = [], {each.picture.path for each in wanted}
    with tempfile.TemporaryDirectory() as temporary:
        upright = Path(temporary) / "picture.png"
        for each in facts:
            name, old = shown(each.picture.path, folder), each.picture.caption
            text = old
            if each.picture.path in asked:
                load_rgb(each.picture.path).save(upright)
                hit = ImageHit(url=name, provider="own")
                text = compose(one_line(captioner.words(hit, upright)), rules)
            proposals.append(Proposal(name, text, old))
    return proposals


def as_lines(proposals: Sequence[Proposal]) -> str:
    """Return proposals as a list that the hub, and Hugging Face's imagefolder, read."""
    lines = ({"file_name": one.name, "text": one.text} for one in proposals)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _apply(parsed: argparse.Namespace, progress: Progress) -> int:
    folder, out = parsed.folder, parsed.out
    if out is None:
        raise UsageError("--use needs --out: the folder to make.", fix="Nothing is changed in DIR.")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{out} lies inside {folder}.", fix="Name a folder beside it.")
    found = _read(folder)
    texts = read_lines(parsed.use)
    names = {shown(picture.path, folder): picture for picture in found.pictures}
    strange = sorted(texts.keys() - names.keys())
    if strange:
        raise DataSetError(
            f"{len(strange)} lines name no picture of {folder}: {', '.join(strange[:5])}.",
            where=str(parsed.use),
            fix="Use the list that was made for this folder.",
        )
    kept = [one._replace(caption=texts[name]) for name, one in names.items() if texts.get(name)]
    without = [name for name in names if not texts.get(name)]
    if not kept:
        raise DataSetError("None of the pictures has a caption in the list.", where=str(parsed.use))
    copied = fair_copy(kept, out, papers_from=folder, progress=progress)
    for one in copied:
        if one.notes:
            print(f"  {shown(one.source, folder)} -> {one.name or 'left out'}: {one.notes[0]}")
    for name in without:
        print(f"  {name} -> left out: it has no caption in the list")
    count = sum(bool(one.name) for one in copied)
    print(f"{count} of {len(names)} pictures in {out}, {folder} is as it was.")
    return 0


def read_lines(file: Path) -> dict[str, str]:
    """Read a list of captions: the name of each picture and its caption.

    Raises:
        DataSetError: A line is no entry; all of them are named.
    """
    texts, bad = {}, []
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataSetError(
            f"The list cannot be read: {error}.", where=str(file), fix="Save it as UTF-8."
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            texts[str(entry["file_name"])] = one_line(str(entry["text"]))
        except (ValueError, KeyError, TypeError):
            bad.append(str(number))
    if bad:
        raise DataSetError(
            f"These lines are no entries: {', '.join(bad[:10])}.",
            where=str(file),
            fix='Each line is {"file_name": "...", "text": "..."}.',
        )
    return texts


def _read(folder: Path) -> PictureSet:
    found = read_folder(folder)
    faults = [p for p in found.problems if p.severity == "error" and p.kind not in ANSWERED]
    refuse_errors(faults, folder)
    for problem in found.problems:
        if problem.severity == "hint":
            print(f"hint: {problem.message} {problem.fix}")
    return found


# The only script of a page of the hub that strangers' words are on: it reads the fields and offers
# them as a file. The page's policy runs this text and no other.
SCRIPT = """
document.getElementById("save").addEventListener("click", () => {
  const fields = [...document.querySelectorAll("textarea")];
  const lines = fields.map(f => JSON.stringify({file_name: f.dataset.name, text: f.value}));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\\n") + "\\n"]));
  link.download = "captions.jsonl";
  link.click();
});
"""


def script_hash() -> str:
    """Return what the page's policy knows its script by."""
    return base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii")
