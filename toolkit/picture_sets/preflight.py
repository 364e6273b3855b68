"""Find every problem of a folder of pictures before the first training step.

Errors stop training; hints are for people to judge. docs/datasets.md has the table of all kinds.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.core import clip_tokens
from toolkit.core.clip_tokens import CLIP_TOKENS, surely_fits
from toolkit.core.prompt_syntax import first_syntax
from toolkit.core.settings import DatasetConfig

from .buckets import BucketUse, cut_share, statistics, target_of
from .captions import tags_of, with_trigger
from .duplicates import equal_groups, near_groups
from .examine import Facts, Progress, examine
from .folder import PictureSet
from .layouts import read_folder
from .problems import Problem, Severity, as_problem, refuse_errors, shown

# A LoRA learns a subject from 10 to 30 pictures; with fewer it learns the pictures themselves.
FEW, MANY = 5, 2000
# From which share of its area that is cut off a person should know.
MUCH_CUT = 0.4
# From which enlargement it shows, and from which there is nothing left to see.
ENLARGED, MUCH_ENLARGED = 1.1, 8.0


class Report(NamedTuple):
    """What a folder holds and what is wrong with it."""

    found: PictureSet
    resolution: int  # in pixels
    config: DatasetConfig
    facts: tuple[Facts, ...]  # of the pictures that can be read
    problems: tuple[Problem, ...]  # errors first

    @property
    def errors(self) -> int:
        """How many of the problems are errors."""
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def items(self) -> int:
        """How many items the data set has, with repeats and mirror images."""
        variants = self.config.repeats * (2 if self.config.flip else 1)
        return len(self.found.pictures) * variants

    def buckets(self) -> list[BucketUse]:
        """Return which sizes the pictures get, the fullest first."""
        sizes = [(facts.header.width, facts.header.height) for facts in self.facts]
        return statistics(sizes, self.resolution, self.config.buckets)

    def words(self) -> list[tuple[str, int]]:
        """Return the words of the captions with the number of captions they are in.

        As training reads them: the trigger word is in front of those that lack it.
        """
        counts: Counter[str] = Counter()
        for picture in self.found.pictures:
            caption = with_trigger(picture.caption, self.config.trigger_word).lower()
            counts.update({word.strip(".,;:!?\"'()[]") for word in caption.split()})
        del counts[""]
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def preflight(data_dir: Path, resolution: int, config: DatasetConfig | None = None) -> Report:
    """Check a folder before training: print hints on stderr, refuse errors.

    Args:
        data_dir: In any layout.
        resolution: What training will use, in pixels.
        config: What ``make_dataset`` will be handed.

    Raises:
        DataSetError: Something is wrong; the message names every file at fault.
    """
    report = check_folder(data_dir, resolution, config)
    refuse_errors(report.problems, data_dir)
    for problem in report.problems:
        print(f"hint: {problem.message} {problem.fix}", file=sys.stderr)
    return report


def check_folder(
    data_dir: Path,
    resolution: int,
    config: DatasetConfig | None = None,
    thumbnail_px: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Find everything that is wrong with a folder.

    Args:
        data_dir: In any layout.
        resolution: Side of the squares in pixels; with buckets, of the square of equal area.
        config: Repeats, mirror images, captions, buckets.
        thumbnail_px: Keep thumbnails with sides up to this; 0 for none.
        progress: Hears of each picture.

    Raises:
        DataSetError: There is no such folder. What is wrong in it is in the report.
    """
    config = config or DatasetConfig()
    found = read_folder(data_dir, config.trigger_word)
    facts, problems = examine(found.pictures, thumbnail_px, progress)
    problems += found.problems
    for each in facts:
        problems += about_one(each, resolution, config, data_dir)
    problems += about_captions(found, config)
    problems += about_twins(facts, data_dir)
    problems += about_the_number(found)
    # Stable: inside a severity and kind the order of the names stays.
    problems.sort(key=lambda problem: (problem.severity != "error", problem.kind))
    return Report(found, resolution, config, tuple(facts), tuple(problems))


def about_one(
    facts: Facts, resolution: int, config: DatasetConfig, folder: Path
) -> Iterator[Problem]:
    """Yield what is wrong with one picture and its caption."""
    path, header = facts.picture.path, facts.header
    name, width, height = shown(path, folder), header.width, header.height
    target = target_of((width, height), resolution, config.buckets)
    size: dict[str, Any] = {"width": width, "height": height}
    times = max(target[0] / width, target[1] / height)
    if times > ENLARGED:
        severity: Severity = "error" if times >= MUCH_ENLARGED else "hint"
        yield as_problem("small", path, name=name, times=times, severity=severity, **size)
    cut = cut_share((width, height), target)
    if cut > MUCH_CUT:
        more = "" if config.buckets else ", or use buckets"
        yield as_problem("shape", path, name=name, cut=cut, or_buckets=more, **size)
    if header.frames > 1:
        yield as_problem("animated", path, name=name, frames=header.frames)
    if header.profile_fault:
        yield as_problem("profile", path, name=name, fault=header.profile_fault)
    if facts.blank:
        yield as_problem("blank", path, name=name)
    caption = with_trigger(facts.picture.caption, config.trigger_word)
    tokens = 0 if surely_fits(caption) else clip_tokens.count(caption)
    if tokens > CLIP_TOKENS:
        yield as_problem("caption-long", path, name=name, tokens=tokens, limit=CLIP_TOKENS)


def about_captions(found: PictureSet, config: DatasetConfig) -> Iterator[Problem]:
    """Yield what is wrong with the captions as a whole."""
    captioned = [picture for picture in found.pictures if picture.caption_at]
    groups: defaultdict[str, list[Path]] = defaultdict(list)
    for picture in captioned:
        if picture.caption:
            groups[picture.caption].append(picture.path)
        elif not config.trigger_word:
            yield as_problem("caption-empty", picture.path, name=picture.caption_at)
    for caption, paths in groups.items():
        if len(paths) > 1:
            names = ", ".join(shown(path, found.folder) for path in paths[:5])
            names += f" and {len(paths) - 5} more" if len(paths) > 5 else ""
            said: dict[str, Any] = {"count": len(paths), "caption": caption[:80], "names": names}
            yield as_problem("caption-twice", paths[0], others=tuple(paths[1:]), **said)
    pieces = [(picture, first_syntax(picture.caption)) for picture in captioned]
    if odd := [(picture, piece) for picture, piece in pieces if piece]:
        named = ", ".join(f"{piece} in {one.caption_at}" for one, piece in odd[:3])
        named += f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        yield as_problem("caption-syntax", odd[0][0].path, count=len(odd), shown=named)
    if config.shuffle_captions and not any(
        len(tags_of(picture.caption)) > config.keep_tokens + 1 for picture in captioned
    ):
        yield as_problem("shuffle-idle", found.folder)


def about_twins(facts: Sequence[Facts], folder: Path) -> Iterator[Problem]:
    """Yield groups of pictures that are equal, or look it."""
    equal = equal_groups([each.content for each in facts])
    repeated = {place for group in equal for place in group[1:]}
    firsts = [each for place, each in enumerate(facts) if place not in repeated and not each.blank]
    groups = [("duplicate", [facts[place] for place in group]) for group in equal]
    groups += [
        ("near-duplicate", [firsts[place] for place in group])
        for group in near_groups([each.print for each in firsts])
    ]
    for kind, group in groups:
        paths = [each.picture.path for each in group]
        names = ", ".join(shown(path, folder) for path in paths)
        yield as_problem(kind, paths[0], names=names, count=len(paths), others=tuple(paths[1:]))


def about_the_number(found: PictureSet) -> Iterator[Problem]:
    """Yield what is said about too few or too many pictures."""
    count = len(found.pictures)
    if 0 < count < FEW:
        pictures = "is 1 picture" if count == 1 else f"are {count} pictures"
        yield as_problem("few", found.folder, pictures=pictures)
    if count > MANY:
        yield as_problem("many", found.folder, count=count)
