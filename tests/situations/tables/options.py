"""Options: those that would do nothing, those that do not exist, and recipes."""

from __future__ import annotations

from tests.situations.situation import Situation, good

IDLE, RECIPE = "Options that would do nothing", "Recipes: --config"


def row(
    title,
    happens,
    options,
    says,
    code=2,
    files=None,
    part=IDLE,
    then=None,
    contribution="Rank16",
) -> Situation:
    typed = f"train {contribution} --data photos --dry-run {options}".strip()
    return Situation(
        part, title, happens, {**good(), **(files or {})}, typed, code, says, then=then
    )


def draws(title, happens, options, says, code=2, files=None, part=IDLE) -> Situation:
    return Situation(part, title, happens, files or {}, f"draw {options}", code, says)


CASES = [
    row(
        "`--device cuda` without a graphics card is left to the worker, a wrong name is not",
        "refused: the names are listed",
        "--device coda",
        ("'coda' is none of cpu, cuda",),
    ),
    row("`--device cuda:x`", "refused", "--device cuda:x", ("none of cpu, cuda, cuda:0",)),
    row(
        "`--flip` with a contribution whose `make_dataset` takes no settings",
        "refused: it would have no effect",
        "--flip",
        ("Example1's make_dataset takes no config: no effect of --flip",),
        contribution="Example1",
    ),
    row(
        "a preset that mirrors, with the same contribution",
        "without mirror images; a line says so",
        "--preset style",
        ("Example1's make_dataset takes no config, so without: flip",),
        0,
        contribution="Example1",
    ),
    draws(
        "`--device gpu` for drawing",
        "refused: the names are listed",
        "--prompt a --device gpu",
        ("'gpu' is none of cpu",),
    ),
    row(
        "a rate for the text encoder, which is not trained",
        "refused: what it needs is said",
        "--text-encoder-learning-rate 1e-5",
        ("needs --train-text-encoder",),
    ),
    row(
        "the same, with the text encoder trained",
        "fine",
        "--text-encoder-learning-rate 1e-5 --train-text-encoder",
        ("Nothing was trained",),
        0,
    ),
    row(
        "pictures held back and no validation",
        "refused: they would be lost to the training",
        "--validation-share 0.2",
        ("needs --validate-every N",),
    ),
    row(
        "the same, with validation",
        "fine",
        "--validation-share 0.2 --validate-every 5",
        ("Nothing was trained",),
        0,
    ),
    row(
        "a warm-up longer than the run",
        "refused: the rate would never be reached",
        "--steps 10 --lr-warmup-steps 20",
        ("a warm-up of 20 steps is not shorter",),
    ),
    row(
        "`--keep-tokens` without shuffling",
        "refused",
        "--keep-tokens 2",
        ("--keep-tokens needs --shuffle-captions",),
    ),
    row(
        "a negative prompt for samples without guidance",
        "refused",
        "--negative-prompt blur --guidance-scale 1",
        ("--negative-prompt needs",),
    ),
    row(
        "samples more rarely than the run is long",
        "refused",
        "--steps 10 --sample-every 50",
        ("--sample-every 50 is more than the 10 steps",),
    ),
    row(
        "validation more rarely than the run is long",
        "refused",
        "--steps 10 --validate-every 50",
        ("--validate-every 50 is more than the 10 steps",),
    ),
    row(
        "two options without effect",
        "refused: both are named",
        "--keep-tokens 2 --validation-share 0.2",
        ("--keep-tokens needs", "needs --validate-every"),
    ),
    row(
        "`--cache` for a contribution",
        "refused: it may write only to its own folder",
        "--cache latents",
        ("--cache is not available",),
    ),
    row(
        "`--rank 0`", "refused: the range is said", "--rank 0", ("--rank: Input should be greater",)
    ),
    row("`--resolution 100`", "refused: a multiple of 8", "--resolution 100", ("multiple of 8",)),
    row(
        "`--learning-rate 10`",
        "refused: the range is said",
        "--learning-rate 10",
        ("--learning-rate: Input should be less than or equal to 1",),
    ),
    row(
        "an option misspelt",
        "refused: it is named",
        "--lerning-rate 1e-4",
        ("unrecognized arguments: --lerning-rate",),
    ),
    Situation(
        IDLE,
        "a contribution misspelt",
        "refused: the near name is said",
        good(),
        "train Exmaple1 --data photos",
        2,
        ("Did you mean: Example1?",),
    ),
    Situation(
        IDLE,
        "a contribution that does not exist",
        "refused: where they are listed",
        good(),
        "train Zzyzx --data photos",
        2,
        ("nox -s list shows all",),
    ),
    Situation(
        IDLE,
        "`verify` of what has no recorded row",
        "refused: where the rows are listed",
        {},
        "verify Unknown",
        2,
        ("There is no recorded row Unknown on the track robot", "LEADERBOARD.md"),
    ),
    draws(
        "`<lora:mug:0.8>` in a prompt",
        "refused: --lora says the same",
        "--prompt 'a mug <lora:mug:0.8>'",
        ("--lora mug.safetensors:0.8",),
    ),
    draws(
        "`<lora:mug:0.8>` in a negative prompt",
        "refused",
        "--prompt a --negative '<lora:mug:0.8>'",
        ("would be read as words",),
    ),
    draws(
        "a LoRA that is not there",
        "refused",
        "--prompt a --lora mug.safetensors:0.8",
        ("There is no LoRA file mug.safetensors",),
    ),
    draws("no prompt", "refused: an example is shown", "--count 2", ("say what to draw",)),
    # --- recipes
    row(
        "a recipe",
        "its options count",
        "--config my.toml",
        ("7 steps of 3 pictures",),
        0,
        {"my.toml": "[train]\nsteps = 7\nbatch_size = 3\n"},
        RECIPE,
    ),
    row(
        "a recipe, and an option typed",
        "what is typed wins",
        "--config my.toml --steps 9",
        ("9 steps of 3 pictures",),
        0,
        {"my.toml": "[train]\nsteps = 7\nbatch_size = 3\n"},
        RECIPE,
    ),
    row(
        "names with dashes in a recipe",
        "the same",
        "--config my.toml",
        ("7 steps of 3 pictures",),
        0,
        {"my.toml": "[train]\nsteps = 7\nbatch-size = 3\n"},
        RECIPE,
    ),
    row(
        "a key misspelt in a recipe",
        "refused: the near name is said",
        "--config my.toml",
        ("Unknown options: stepps (Did you mean 'steps'?)",),
        2,
        {"my.toml": "[train]\nstepps = 7\n"},
        RECIPE,
    ),
    row(
        "a value out of its range in a recipe",
        "refused as if it were typed",
        "--config my.toml",
        ("--rank: Input should be",),
        2,
        {"my.toml": "[train]\nrank = 0\n"},
        RECIPE,
    ),
    row(
        "a recipe that is no TOML",
        "refused: the line is named",
        "--config my.toml",
        ("my.toml", "line 2"),
        2,
        {"my.toml": "[train]\nsteps 7\n"},
        RECIPE,
    ),
    row(
        "a recipe without the command's table",
        "refused",
        "--config my.toml",
        ("has no table [train]",),
        2,
        {"my.toml": "steps = 7\n"},
        RECIPE,
    ),
    row(
        "a recipe that is not there",
        "refused",
        "--config gone.toml",
        ("gone.toml",),
        2,
        None,
        RECIPE,
    ),
    draws(
        "a recipe for drawing with a key of training",
        "refused",
        "--config my.toml",
        ("Unknown options: rank",),
        2,
        {"my.toml": '[generate]\nprompt = ["a"]\nrank = 4\n'},
        RECIPE,
    ),
    draws(
        "a recipe for drawing",
        "its options count: here steps that do not go",
        "--config my.toml",
        ("1000 steps of pndm begin",),
        2,
        {"my.toml": '[generate]\nprompt = ["a"]\nsteps = 1000\nscheduler = "pndm"\n'},
        RECIPE,
    ),
]
