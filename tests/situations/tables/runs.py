"""Where results go, and going on: no file of a person is replaced or removed."""

from __future__ import annotations

import json

from tests.situations.situation import Situation, good

PART = "Results and going on"
RUN = {"out/plan.json": json.dumps({"fingerprints": {}}), "out/log.jsonl": ""}


def row(title, happens, options, says, code=2, files=None, name="Rank16") -> Situation:
    typed = f"train {name} --data photos --dry-run {options}".strip()
    return Situation(PART, title, happens, {**good(), **(files or {})}, typed, code, says)


CASES = [
    row(
        "`--out` on a folder with a `samples.png` of one's own",
        "refused: it is named",
        "--out mine",
        ("holds files that no training wrote: samples.png",),
        files={"mine/samples.png": 9},
    ),
    row(
        "`--out` on a folder with a `log.jsonl` of another program",
        "refused",
        "--out mine",
        ("holds files that no training wrote: log.jsonl",),
        files={"mine/log.jsonl": "x"},
    ),
    row(
        "`--out` on a folder with a `plan.json` of another program",
        "refused",
        "--out mine",
        ("holds files that no training wrote: plan.json",),
        files={"mine/plan.json": '{"plan": "holidays"}'},
    ),
    row(
        "`--fresh` on a folder with `samples/` of one's own",
        "refused: nothing is removed",
        "--out mine --fresh",
        ("holds files that no training wrote: samples",),
        files={"mine/samples/a.png": 9},
    ),
    row(
        "`--fresh` on a folder with `checkpoints/` of one's own",
        "refused: nothing is removed",
        "--out mine --fresh",
        ("no training wrote: checkpoints",),
        files={"mine/checkpoints/a.ckpt": b"x"},
    ),
    row(
        "`--out` is the folder of the pictures",
        "refused",
        "--out photos",
        ("--out lies in the folder of the pictures",),
    ),
    row(
        "`--out` inside the folder of the pictures",
        "refused",
        "--out photos/out",
        ("--out lies in the folder of the pictures",),
    ),
    row(
        "`--out` is a file",
        "refused",
        "--out mine.txt",
        ("--out is a file",),
        files={"mine.txt": "x"},
    ),
    row(
        "`--out .` in a folder with the pictures",
        "refused: it holds other files",
        "--out .",
        ("holds files that no training wrote: ",),
    ),
    row(
        "`--out` on a folder that is empty",
        "fine",
        "--out mine",
        ("Nothing was trained",),
        0,
        {"mine/.keep": lambda path: path.parent.mkdir(exist_ok=True)},
    ),
    row(
        "`--out` on the folder of an earlier run",
        "fine",
        "--out out",
        ("Nothing was trained",),
        0,
        RUN,
    ),
    row(
        "`--resume` with nothing to go on with",
        "refused",
        "--resume --out out",
        ("There is no run to go on with",),
        files=RUN,
    ),
    row(
        "`--init` with a file that is no LoRA",
        "refused: how to look into it is said",
        "--init photos/0.png",
        ("0.png",),
        1,
    ),
    Situation(
        PART,
        "`export` of a contribution that was never trained",
        "refused: how to train it is said",
        {},
        "export Rank16",
        2,
        ("Rank16 has not been trained", "nox -s contribution -- Rank16"),
    ),
    Situation(
        PART,
        "`generate --run` on an empty folder",
        "refused: which folders work is said",
        {"mine/x.txt": "x"},
        "generate Rank16 --prompt a --run mine",
        2,
        ("There is no delta.safetensors",),
    ),
    Situation(
        PART,
        "`generate --track` with a track that is not there",
        "refused: near names",
        {},
        "generate Rank16 --prompt a --track robt",
        2,
        ("robot",),
    ),
    Situation(
        PART,
        "`--out` of the reference's own command on a folder of one's own",
        "refused",
        {**good(), "mine/samples.png": 9},
        "reference --data photos --out mine",
        2,
        ("holds files that no training wrote",),
    ),
]
