"""Run every attack on every layer that works here; write what happened into the documentation.

    nox -s hostile                          all, on all layers
    nox -s hostile -- --layer bubblewrap ForkBomb     some, without writing
    nox -s hostile -- --forging                       the contributions that cheat

Writes docs/isolation.json and the table in docs/isolation.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import tempfile
from pathlib import Path

from harness import paths
from harness.sandbox.choose import why_not
from harness.sandbox.layers import LAYERS
from harness.sandbox.tidy import remove_tree
from tests.hostile.attacks import ATTACKS
from tests.hostile.files import FILES, answer
from tests.hostile.forging import play_and_record
from tests.hostile.stage import Report, run_attack
from toolkit.core import atomic

PAGE = paths.ROOT / "docs" / "isolation.md"
FIGURES = paths.ROOT / "docs" / "isolation.json"
BEGIN, END = "<!-- attacks: written by nox -s hostile -->", "<!-- end of attacks -->"
FILES_BEGIN, FILES_END = "<!-- files: written by nox -s hostile -->", "<!-- end of files -->"


def main() -> int:
    """Run, print a line each, write; return 1 when a layer that should hold did not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="attacks (default: all)")
    parser.add_argument("--files", action="store_true", help="the hostile files alone")
    parser.add_argument("--layer", choices=LAYERS, help="one layer (default: all)")
    parser.add_argument(
        "--record", action="store_true", help="write also when only some are run (default: all)"
    )
    parser.add_argument("--forging", action="store_true", help="the forgeries alone")
    args = parser.parse_args()
    if args.forging:
        return play_and_record(args.names, args.layer)
    layers = [args.layer] if args.layer else [name for name in LAYERS if why_not(name) is None]
    if args.files:
        return int(every_file() > 0)
    results: dict[str, dict[str, dict[str, object]]] = {}
    escaped = 0
    for layer in layers:
        for name in args.names or ATTACKS:
            report = attack_once(name, layer)
            held = not report.possible
            as_expected = ATTACKS[name].ended_well(report.ending)
            escaped += layer != "process" and not (held and as_expected)
            shown = "held" if held else f"NOT HELD: {'; '.join(report.possible)}"
            shown += "" if as_expected else f"  ENDED OTHERWISE: {report.said[:150]}"
            print(f"{layer:12} {name:26} {report.ending:26} {shown}", flush=True)
            results.setdefault(name, {})[layer] = {
                "ending": report.ending.strip(),
                "said": anywhere(report.said[:200]),
                "held": held,
                "possible": [anywhere(line.partition(":")[0]) for line in report.possible],
            }
    unanswered = 0 if args.names or args.layer else every_file()
    if args.record or not (args.names or args.layer):
        record(results)
    return int(escaped + unanswered > 0)


def attack_once(name: str, layer: str) -> Report:
    """Run one attack in a folder that is removed afterwards, however deep it was filled."""
    folder = Path(tempfile.mkdtemp(prefix="hub-hostile-"))
    try:
        return run_attack(name, ATTACKS[name], layer, folder)
    finally:
        remove_tree(folder)


def anywhere(text: str) -> str:
    """Return a text without what differs from machine to machine and from run to run."""
    text = text.replace(str(paths.ROOT), "the hub").replace(str(Path.home()), "the home")
    return re.sub(r"[^ ]*hub-hostile-\w+|(?<=runs/hostile/)p\d+", "its folder", text)


def every_file() -> int:
    """Read every hostile file, write the table; return how many got another answer."""
    answers = {name: answer_once(name) for name in FILES}
    for name, said in answers.items():
        print(f"{'file':12} {name:26} {(said.splitlines() or ['nothing'])[0][:120]}", flush=True)
    record_files(answers)
    return sum(FILES[name].answer not in said for name, said in answers.items())


def answer_once(name: str) -> str:
    """Return what the hub says about one hostile file."""
    with tempfile.TemporaryDirectory(prefix="hub-hostile-") as folder:
        return answer(name, Path(folder)).replace(f"{folder}/", "")


def record_files(answers: dict[str, str]) -> None:
    """Write the second table: each file, where it lay, what was said."""
    lines = ["| file | where | what the hub says |", "|---|---|---|"]
    for name, said in answers.items():
        file = FILES[name]
        shown = next((line for line in said.splitlines() if file.answer in line), said)
        shown = " ".join(shown.split()).replace("|", "\\|")[:160]
        place = file.place.encode("unicode_escape").decode()
        lines.append(f"| `{name}`: {file.does} | {place} | {shown} |")
    replace_block(FILES_BEGIN, FILES_END, "\n".join(lines))


def replace_block(begin: str, end: str, text: str) -> None:
    """Put a text between two marks of the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    atomic.write_text(PAGE, f"{before}{begin}\n{text}\n{end}{after}")


def record(results: dict[str, dict[str, dict[str, object]]]) -> None:
    """Write the figures and the table; what was not run now stays as it was recorded."""
    known = json.loads(FIGURES.read_text(encoding="utf-8"))["attacks"] if FIGURES.exists() else {}
    results = {name: {**known.get(name, {}), **results.get(name, {})} for name in ATTACKS}
    about = {"system": f"{platform.system()} {platform.release()}", "attacks": results}
    atomic.write_text(FIGURES, json.dumps(about, indent=1) + "\n")
    replace_block(BEGIN, END, table(results))


def table(results: dict[str, dict[str, dict[str, object]]]) -> str:
    """Return one row per attack: how it ended, and on which layers it was held."""
    lines = ["| attack | how it ends | " + " | ".join(LAYERS) + " |", "|---" * 6 + "|"]
    for name, by_layer in results.items():
        ends = " ".join(str(next(iter(by_layer.values()))["ending"]).split())
        cells = [cell(by_layer.get(layer)) for layer in LAYERS]
        lines.append(f"| `{name}`: {ATTACKS[name].does} | {ends} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(entry: dict[str, object] | None) -> str:
    """Return what one layer did, in a word or a few."""
    if entry is None:
        return "not tried"
    if entry["held"]:
        return "held"
    possible = entry["possible"]
    return f"**open**: {', '.join(possible) if isinstance(possible, list) else ''}"


if __name__ == "__main__":
    raise SystemExit(main())
