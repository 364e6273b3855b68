#!/usr/bin/env bash
# imagefolder leaves out pictures that have no row in metadata.jsonl, and doubles those that have
# two.
#
# Versions: datasets 5.2.0, pillow 13.0.0
# Guess:    a picture without a row gets an empty caption, or is an error, as the opposite (a row
#           without a picture) is; a second row for one picture replaces the first, or is an error.
# Seen:     of three pictures two are in the data set. With two rows for one picture it is in there
#           twice, once with each caption. No warning in either case; a row without a picture raises
#           FileNotFoundError.
# Matters:  after adding pictures to a folder and forgetting the captions, training simply goes on
#           without the new ones; after captioning twice in append mode some pictures count double.
#           Compare len(dataset) with the folder.
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


def rows(pictures, captions):
    folder = tempfile.mkdtemp(dir=os.environ["WORK"])
    for number, name in enumerate(pictures):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(os.path.join(folder, name))
    with open(os.path.join(folder, "metadata.jsonl"), "w") as file:
        for name, text in captions:
            file.write(json.dumps({"file_name": name, "text": text}) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = datasets.load_dataset(
            "imagefolder", data_dir=folder, split="train", cache_dir=tempfile.mkdtemp(dir=os.environ["WORK"])
        )
    return [(pictures[row["image"].getpixel((0, 0))[0]], row["text"]) for row in found]


missing = rows(["a.png", "b.png", "c.png"], [("a.png", "red"), ("c.png", "blue")])
double = rows(["a.png", "b.png"], [("a.png", "red"), ("a.png", "a red square"), ("b.png", "green")])
print("three pictures, two rows:", missing)
print("two pictures, three rows:", double)
assert missing == [("a.png", "red"), ("c.png", "blue")]
assert double == [("a.png", "red"), ("a.png", "a red square"), ("b.png", "green")]
try:
    rows(["a.png"], [("a.png", "red"), ("z.png", "blue")])
except FileNotFoundError as error:
    print("row without picture:", type(error).__name__)
else:
    raise AssertionError("a row without a picture passed")
EOF
