#!/usr/bin/env bash
# One picture with "test" in its file name makes imagefolder drop all the others, and the captions.
#
# Versions: datasets 5.2.0, pillow 13.0.0
# Guess:    a flat folder of pictures is one split, "train"; file names do not matter. With a
#           metadata.jsonl all its rows are there.
# Seen:     as soon as one name contains the word train, test, eval, valid or dev between separators
#           (robot-test.png, red_dev_02.png), the words decide about splits, and pictures without
#           such a word are in none: of six pictures two are left out. With metadata.jsonl, three
#           pictures become a "test" split of one, without its caption, and there is no "train". No
#           warning.
# Matters:  load_dataset(folder) reads a folder of pictures this way too, so a folder handed to a
#           training script as --dataset_name is read like this. robot-test.png among 30 others is
#           easily there; train_station.png is worse, since training then runs, on that one picture.
#           Naming the files explicitly, data_files={"train": "folder/**"}, avoids it.
. "$(dirname "$0")/_environment.sh"
environment datasets==5.2.0 pillow==13.0.0
"$PYTHON" - <<'EOF'
import json
import os
import tempfile
import warnings

import datasets
from PIL import Image

datasets.disable_progress_bars()


def splits(names, captions=False):
    folder = tempfile.mkdtemp(dir=os.environ["WORK"])
    for number, name in enumerate(names):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(os.path.join(folder, name))
    if captions:
        with open(os.path.join(folder, "metadata.jsonl"), "w") as file:
            for name in names:
                file.write(json.dumps({"file_name": name, "text": "a robot"}) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = datasets.load_dataset(
            "imagefolder", data_dir=folder, cache_dir=tempfile.mkdtemp(dir=os.environ["WORK"])
        )
        by_path = datasets.load_dataset(folder, cache_dir=tempfile.mkdtemp(dir=os.environ["WORK"]))
        explicit = datasets.load_dataset(
            "imagefolder", data_files={"train": f"{folder}/**"}, cache_dir=tempfile.mkdtemp(dir=os.environ["WORK"])
        )
    assert by_path.num_rows == found.num_rows
    assert explicit.num_rows == {"train": len(names)}
    return {
        split: ([names[row["image"].getpixel((0, 0))[0]] for row in rows], rows.column_names)
        for split, rows in found.items()
    }


plain = splits(["robot-1.png", "robot-2.png", "contest.png"])
named = splits(["robot-1.png", "robot-test.png", "red_dev_02.png", "train_station.png", "eval.png", "contest.png"])
captioned = splits(["robot-1.png", "robot-test.png", "robot-2.png"], captions=True)
for result in (plain, named, captioned):
    print(result)
assert set(plain) == {"train"} and len(plain["train"][0]) == 3
assert {split: sorted(files) for split, (files, _) in named.items()} == {
    "train": ["train_station.png"],
    "validation": ["red_dev_02.png"],
    "test": ["eval.png", "robot-test.png"],
}
assert captioned == {"test": (["robot-test.png"], ["image"])}
EOF
