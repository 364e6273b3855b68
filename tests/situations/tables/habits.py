"""Habits from other programs: their prompt syntax, archives, recipes, folders and options."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from tests.situations.situation import Situation, captions, good, picture, saved
from tests.toolkit.picture_sets.zoo import scene

PART = "Habits from other programs"
CHECK = "dataset check photos --resolution 64"
FIX = "dataset fix photos --out new"
TRAIN = "train Rank16 --data photos --dry-run"
READY = "Ready to train"


def row(title, happens, typed, says, code=0, files=None, then=None, **more) -> Situation:
    return Situation(PART, title, happens, {**good(), **(files or {})}, typed, code, says,
                     then=then, **more)  # fmt: skip


def caption(text: str) -> dict[str, str]:
    return {"photos/0.txt": text}


def syntax(title: str, text: str, piece: str) -> Situation:
    says = (READY, "learnt as words", f"{piece} in 0.txt")
    return row(title, "a hint names it: it is learnt as words", CHECK, says, files=caption(text))


def recipe(title, happens, text, says, code=2) -> Situation:
    return row(title, happens, f"{TRAIN} --config my.toml", says, code, {"my.toml": text})


def animated(kind: str) -> bytes:
    frames = [scene(20 + n).resize((96, 80)) for n in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def turned(orientation: int) -> bytes:
    """A camera's photo that is red on top when it is shown as it says."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.asarray(scene(9).resize((96, 80))).copy()
    pixels[:, :20] = (250, 10, 10)
    return saved(Image.fromarray(pixels), "JPEG", exif=exif, quality=95)


def upright(folder: Path, said: str) -> None:
    with Image.open(folder / "new" / "Images" / "o.jpg") as image:
        assert image.size == (80, 96), said
        top, bottom = np.asarray(image.convert("RGB"), float)[[4, 90]].mean(1)
    assert top[0] - top[1] > 150 > bottom[0] - bottom[1]


def mixed_alpha() -> bytes:
    pixels = np.zeros((80, 96, 4), np.uint8)
    pixels[..., :3] = np.asarray(scene(8).resize((96, 80)))
    pixels[:, :48, 3] = 255
    return saved(Image.fromarray(pixels), "PNG")


def half_white(folder: Path, said: str) -> None:
    with Image.open(folder / "new" / "Images" / "la.png") as image:
        assert image.mode == "RGB", said
        assert np.asarray(image)[:, 60:].min() == 255


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def lora(path: Path) -> None:
    """A LoRA of one layer, in kohya's names."""
    name = "lora_unet_mid_block_attentions_0_proj_in"
    save_file(
        {
            f"{name}.lora_down.weight": np.ones((4, 16, 1, 1), np.float32),
            f"{name}.lora_up.weight": np.ones((16, 4, 1, 1), np.float32),
        },
        path,
    )


def trained_by(name: str) -> dict:
    """The folder of a training whose files say by whom."""

    def adapter(path: Path) -> None:
        header = {"hub.name": name, "hub.origins": json.dumps({"make_lora": name})}
        save_file({"weight": np.ones(1, np.float32)}, path, metadata=header)

    plan = {"base": "models/tiny-sd", "resolution": 64, "prompts": ["a mug"]}
    return {
        "mine/plan.json": json.dumps(plan),
        "mine/adapter.safetensors": adapter,
        "mine/delta.safetensors": adapter,
    }


NESTED = zipped({"b.png": picture(5), "b.txt": b"a mug"})
KOHYA = "pretrained_model_name_or_path = 'x'\n[train]\nnetwork_dim = 8\nunet_lr = 1e-4\n"
OWN_TRACK = 'name = "photos"\nsteps = "many"\n'

CASES = [
    # --- captions as prompts
    syntax("weights in a caption, `(sks mug:1.3)`", "a (sks mug:1.3), red", "(sks mug:1.3)"),
    syntax("`((red))` in a caption", "a sks mug, ((red))", "(("),
    syntax("`<lora:detail:0.5>` in a caption", "a mug <lora:detail:0.5>", "<lora:detail:0.5>"),
    syntax("`[filewords]` in a caption", "a photo of sks [filewords]", "[filewords]"),
    syntax("`BREAK` in a caption", "a mug BREAK on a table", "BREAK"),
    syntax("a wildcard in a caption, `__colour__`", "a __colour__ mug", "__colour__"),
    syntax("a choice in a caption, `{red|blue}`", "a {red|blue} mug", "{red|blue}"),
    syntax("prompt editing in a caption, `[cup:mug:0.5]`", "a [cup:mug:0.5]", "[cup:mug:0.5]"),
    row(
        "plain brackets in a caption",
        "nothing to say: people write so",
        CHECK,
        (READY,),
        files=caption("a sks mug (left) on a table [old photo]"),
        hides=("learnt as words",),
    ),
    # --- pictures
    row(
        "an animated WebP",
        "a hint: the first frame is used",
        CHECK,
        (READY, "a.webp is an animation of 3 frames"),
        files={"photos/a.webp": animated("WEBP"), "photos/a.txt": "a mug"},
    ),
    row(
        "an animated GIF",
        "a hint: the first frame is used",
        CHECK,
        (READY, "a.gif is an animation of 3 frames"),
        files={"photos/a.gif": animated("GIF"), "photos/a.txt": "a mug"},
    ),
    row(
        "a photo that the camera turned (EXIF 6)",
        "upright in the copy",
        FIX,
        ("6 of 6 pictures",),
        files={"photos/o.jpg": turned(6), "photos/o.txt": "a mug"},
        then=upright,
    ),
    row(
        "a photo with an orientation that does not exist",
        "it is used as it is",
        CHECK,
        (READY, "6 pictures"),
        files={"photos/o.jpg": turned(99), "photos/o.txt": "a mug"},
    ),
    row(
        "a PNG that is half transparent",
        "laid onto white",
        FIX,
        ("6 of 6 pictures",),
        files={"photos/la.png": mixed_alpha(), "photos/la.txt": "a mug"},
        then=half_white,
    ),
    row(
        "a panorama of 4000x96",
        "a hint: nearly all of it would be cut off",
        CHECK,
        (READY, "p.jpg is 4000x96: 98% of it would be cut off"),
        files={
            "photos/p.jpg": saved(scene(8).resize((4000, 96)), "JPEG"),
            "photos/p.txt": "a mug",
        },
    ),
    row(
        "a tracking pixel that was saved along",
        "refused: it is named",
        CHECK,
        ("d.png has 1x1 pixels and would be enlarged 64.0 times",),
        1,
        {"photos/d.png": saved(scene(8).resize((1, 1)), "PNG"), "photos/d.txt": "a mug"},
    ),
    # --- names
    row(
        "a name with quotes, `$` and spaces",
        "a safe name in the copy, and that is said",
        FIX,
        ("6 of 6 pictures", 'it-s-me-HOME.png: was it\'s "me" $HOME.png'),
        files={'photos/it\'s "me" $HOME.png': 8, 'photos/it\'s "me" $HOME.txt': "a mug"},
    ),
    row(
        "a name that begins with a dash",
        "a safe name in the copy",
        FIX,
        ("-rf.png -> rf.png",),
        files={"photos/-rf.png": 8, "photos/-rf.txt": "a mug"},
    ),
    row(
        "a name with a line end in it",
        "it is used",
        CHECK,
        (READY, "6 pictures"),
        files={"photos/a\nb.png": 8, "photos/a\nb.txt": "a mug"},
    ),
    row(
        "a name of 250 letters",
        "it is used",
        FIX,
        ("6 of 6 pictures",),
        files={f"photos/{'x' * 246}.png": 8, f"photos/{'x' * 246}.txt": "a mug"},
    ),
    Situation(
        PART,
        "a folder with brackets in its name",
        "it is read as it is called",
        good(folder="photos[1]"),
        "dataset check 'photos[1]' --resolution 64",
        0,
        (READY, "5 pictures"),
    ),
    # --- archives
    row(
        "a zip in a zip",
        "the inner one is named, and not used",
        "dataset import photos.zip --out new",
        ("1 of 1 pictures", "not used: inner.zip"),
        files={"photos.zip": {"a.png": 1, "a.txt": "a mug", "inner.zip": NESTED}},
    ),
    *(
        row(
            f"a `{ending}` instead of a zip",
            "refused: unpack it, or pack it as zip",
            f"dataset import photos{ending} --out new",
            (f"photos{ending} is a file", "Unpack it and name the folder"),
            1,
            {f"photos{ending}": b"Rar!\x1a\x07\x01\x00xxxx"},
        )
        for ending in (".rar", ".7z", ".tar.gz")
    ),
    row(
        "a Mac's zip, with `__MACOSX/`",
        "what the Mac put there is passed over",
        "dataset import photos.zip --out new",
        ("1 of 1 pictures",),
        files={
            "photos.zip": {
                "photos/a.png": 1,
                "photos/a.txt": "a mug",
                "__MACOSX/photos/._a.png": b"x",
            }
        },
        then=captions("new", a="a mug"),
    ),
    # --- options
    row(
        "`--data` twice",
        "refused: one of the folders would be lost",
        f"{TRAIN} --data more",
        ("--data was typed twice, and only one can be taken",),
        2,
        good(folder="more"),
    ),
    row(
        "two graphics cards, `--device cuda:0,cuda:1`",
        "refused: the names are listed",
        f"{TRAIN} --device cuda:0,cuda:1",
        ("'cuda:0,cuda:1' is none of cpu, cuda",),
        2,
    ),
    row(
        "`--init` with PEFT's folder",
        "refused: the command that makes a file of it",
        f"{TRAIN} --init lora",
        ("and this is a folder", "nox -s lora -- convert lora"),
        2,
        {"lora/adapter_config.json": "{}"},
    ),
    row(
        "`--init` with a file of another rank than `--rank`",
        "refused: both ranks are said",
        f"{TRAIN} --init l.safetensors --rank 8",
        ("has rank 4, and --rank is 8", "resize"),
        2,
        {"l.safetensors": lora},
    ),
    row(
        "`--resolution 63`",
        "refused: the option is named as it was typed",
        f"{TRAIN} --resolution 63",
        ("--resolution: Input should be a multiple of 8",),
        2,
        hides=("height",),
    ),
    Situation(
        PART,
        "`--base` of `dataset check` misspelt",
        "refused: it is not taken for one of 512 pixels",
        good(),
        "dataset check photos --base models/tiny-ds",
        2,
        ("There is no base model in models/tiny-ds",),
    ),
    Situation(
        PART,
        "exporting another contribution's training under one's own name",
        "refused: whose it is is said",
        trained_by("DoRA"),
        "export Rank16 --run mine --out x.safetensors",
        2,
        ("This folder holds a training of DoRA, not of Rank16", "nox -s export -- DoRA"),
    ),
    Situation(
        PART,
        "drawing with another contribution's training",
        "refused: whose it is is said",
        trained_by("DoRA"),
        "generate Rank16 --run mine --prompt a",
        2,
        ("a training of DoRA, whose adapter Rank16 cannot load",),
    ),
    Situation(
        PART,
        "a width and a height of 0",
        "refused: out of range, not left out",
        {},
        "draw --prompt a --width 0 --height 0",
        2,
        ("--width: Input should be", "--height: Input should be"),
    ),
    Situation(
        PART,
        "drawing a picture again, with other steps",
        "refused: its own text says the steps",
        {},
        "draw --again a.png --steps 5",
        2,
        ("--steps beside --again",),
    ),
    Situation(
        PART,
        "a strength without a LoRA",
        "refused: it would do nothing",
        {},
        "draw --prompt a --scale 0.5",
        2,
        ("--scale needs a --lora",),
    ),
    # --- recipes
    recipe(
        "kohya's TOML as a recipe",
        "refused: the names that are not the hub's",
        KOHYA,
        ("Unknown options: network_dim; unet_lr", "--help lists them"),
    ),
    recipe(
        "a list where a recipe takes one value",
        "refused: none of them is lost",
        "[train]\nsteps = [7, 8]\n",
        ("steps = [7, 8] is a list, and the option takes one value",),
    ),
    recipe(
        "`true` where a recipe takes a number",
        "refused: it is named",
        "[train]\nsteps = true\n",
        ("steps = true is no number or text",),
    ),
    recipe(
        '`"yes"` where a recipe takes true or false',
        "refused: it is named",
        '[train]\nflip = "yes"\n',
        ('flip = "yes" is neither true nor false',),
    ),
    row(
        "a recipe in JSON",
        "refused: what a recipe looks like",
        f"{TRAIN} --config my.json",
        ("The file is no TOML", "A recipe looks so"),
        2,
        {"my.json": '{"train": {"steps": 7}}'},
    ),
    row(
        'a recipe in UTF-16, Notepad\'s "Unicode"',
        "refused: save it as UTF-8",
        f"{TRAIN} --config my.toml",
        ("The file is not UTF-8", "save it with the encoding UTF-8"),
        2,
        {"my.toml": "[train]\nsteps = 7\n".encode("utf-16")},
    ),
    Situation(
        PART,
        "a track of one's own whose `track.toml` was edited wrongly",
        "refused: the field, the file and the way to make it again",
        {"runs/tracks/photos/track.toml": OWN_TRACK},
        "contribution Rank16 --track photos",
        2,
        ("steps: Input should be", "photos/track.toml", "nox -s track -- new photos --data DIR"),
        hides=("errors.pydantic.dev",),
    ),
]
