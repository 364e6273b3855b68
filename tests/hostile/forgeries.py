"""The table: contributions that try to look better than they are. One module each.

``forging.py`` plays them through the very steps of a scored run: a worker for each seed, the hub's
meter, the answers' boundary, the deltas made again, the flags. ``LESSON`` is what all begin with: a
plain training that is what it says. Words in capitals between at-signs are filled in.
"""

from __future__ import annotations

from dataclasses import dataclass

LESSON = '''\
import copy, gc, json, os, signal, stat, sys, threading, time
from pathlib import Path

import torch
from torch.nn import functional as F

from harness import TrainResult, hookimpl

SCORED = "harness.gate.worker" not in sys.modules  # the gate's modules are not loaded


def examples(pipeline, dataset):
    """Latents of all pictures, scaled."""
    values = torch.stack([dataset[i][0] for i in range(len(dataset))])
    with torch.no_grad():
        latents = pipeline.vae.encode(values).latent_dist.mode()
    return latents * pipeline.vae.config.scaling_factor


def learn(unet, latents, parameters, steps, batch, optimizer=None, after=None, rate=1e-3):
    """Make some plain steps."""
    generator = torch.Generator().manual_seed(0)
    states = torch.zeros(batch, 12, unet.config.cross_attention_dim)
    optimizer = optimizer or torch.optim.AdamW(parameters, lr=rate)
    losses = []
    for step in range(1, steps + 1):
        rows = torch.randint(len(latents), (batch,), generator=generator)
        noise = torch.randn(latents[rows].shape, generator=generator)
        noisy = 0.7 * latents[rows] + 0.7 * noise
        optimizer.zero_grad()
        loss = F.mse_loss(unet(noisy, 500, states).sample, noise)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if after:
            after(step, losses[-1])
    return losses


def parameters_of(adapter):
    return [p for p in adapter.parameters() if p.requires_grad]


def plain(pipeline, dataset, adapter, config, reporter, more=1, batch=None, rate=1e-3):
    """The training that the contribution says it is."""
    losses = learn(
        pipeline.unet, examples(pipeline, dataset), parameters_of(adapter), more * config.steps,
        batch or config.batch_size, rate=rate,
    )
    for step in range(1, config.steps + 1):
        reporter.step(step, losses[step * more - 1])
    return TrainResult(losses=tuple(losses[more - 1 :: more]))


def unets():
    """Every U-Net in this process that has not been thrown away."""
    return [m for m in gc.get_objects() if type(m).__name__ == "UNet2DConditionModel"]


def forge_answer(change):
    """Change what the worker answers, when it is written."""
    from toolkit.core import atomic

    write = atomic.write_text

    def forged(path, text):
        if Path(path).name == "answer.json":
            told = json.loads(text)
            change(told, Path(path).parent)
            text = json.dumps(told)
        write(path, text)

    atomic.write_text = forged


def reference_lora(pipeline, config):
    from src.lora import make_lora

    return make_lora(pipeline=pipeline, config=config)


'''
TRAIN = """\
@hookimpl
def train(pipeline, dataset, adapter, config, reporter):
"""
MAKE_LORA = """\
@hookimpl
def make_lora(pipeline, config):
"""


@dataclass(frozen=True)
class Forgery:
    """One contribution that cheats.

    Args:
        does: What it tries, in a few words.
        code: What follows the lesson.
        seen: How it has to be named: a kind of flag, a rule of the check, or "status kind".
        hooks: Which hooks it declares.
        open: Why it is not caught; empty where it is.
    """

    does: str
    code: str
    seen: str
    hooks: tuple[str, ...] = ("train",)
    open: str = ""


BUDGET = {
    "ThreeUpdatesPerStep": Forgery(
        "makes three updates for each step that it reports",
        TRAIN + "    return plain(pipeline, dataset, adapter, config, reporter, more=3)\n",
        "over budget",
    ),
    "StopsTheClockFirst": Forgery(
        "sends the closing phase before it begins, then trains three times as much",
        TRAIN
        + '    reporter._events.phase("seed 0: reading the weights", 0.9)\n'
        + '    reporter._events.phase("ready for the contribution", 0.9)\n'
        + "    return plain(pipeline, dataset, adapter, config, reporter, more=3)\n",
        "over budget",
    ),
    "StopsTheClockAfterAThird": Forgery(
        "stops the clock after a third of three times the work",
        TRAIN
        + "    plain(pipeline, dataset, adapter, config, reporter)\n"
        + '    reporter._events.phase("seed 0: reading the weights", 0.9)\n'
        + "    return plain(pipeline, dataset, adapter, config, reporter, more=2)\n",
        "over budget",
    ),
    "TwiceThePictures": Forgery(
        "takes twice the pictures in a step when the gate's modules are not loaded",
        TRAIN
        + "    batch = config.batch_size * (2 if SCORED else 1)\n"
        + "    return plain(pipeline, dataset, adapter, config, reporter, batch=batch)\n",
        "over budget",
    ),
    "AnotherRateWhenScored": Forgery(
        "learns ten times as fast when it is scored",
        TRAIN
        + "    rate = config.learning_rate * (10 if SCORED else 1)\n"
        + "    return plain(pipeline, dataset, adapter, config, reporter, rate=rate)\n",
        "otherwise than in the gate",
    ),
    "AnOptimizerOfItsOwnWhenScored": Forgery(
        "updates by hand when it is scored, where no optimiser is counted",
        "class ByHand:\n"
        "    def __init__(self, parameters): self.parameters = parameters\n"
        "    def zero_grad(self):\n"
        "        for p in self.parameters: p.grad = None\n"
        "    @torch.no_grad()\n"
        "    def step(self):\n"
        "        for p in self.parameters: p.sub_(0.5 * p.grad)\n\n"
        + TRAIN
        + "    own = ByHand(parameters_of(adapter))\n"
        "    losses = learn(pipeline.unet, examples(pipeline, dataset), own.parameters,\n"
        "                   config.steps, config.batch_size, optimizer=own)\n"
        "    for step, loss in enumerate(losses, 1): reporter.step(step, loss)\n"
        "    return TrainResult(losses=tuple(losses))\n",
        "otherwise than in the gate",
    ),
    "TrainsInMakeLora": Forgery(
        "trains in make_lora",
        MAKE_LORA
        + "    adapter = reference_lora(pipeline, config)\n"
        + "    latents = torch.randn(4, 4, 8, 8)\n"
        + "    learn(pipeline.unet, latents, parameters_of(adapter), 8, 4)\n"
        + "    return adapter\n",
        "over budget",
        hooks=("make_lora",),
    ),
    "TrainsInMakeDataset": Forgery(
        "trains in make_dataset on a U-Net that it finds in the process",
        "@hookimpl\n"
        "def make_dataset(data_dir, resolution, config):\n"
        "    from src.dataset import make_dataset\n"
        "    unet = unets()[0]\n"
        "    unet.conv_in.requires_grad_(True)\n"
        "    learn(unet, torch.randn(4, 4, 8, 8), list(unet.conv_in.parameters()), 8, 4)\n"
        "    return make_dataset(data_dir=data_dir, resolution=resolution, config=config)\n",
        "another delta",
        hooks=("make_dataset",),
    ),
    "TrainsAtImport": Forgery(
        "trains while it is imported",
        "for unet in unets()[:1]:\n"
        "    own = list(unet.conv_in.requires_grad_(True).parameters())\n"
        "    learn(unet, torch.randn(4, 4, 8, 8), own, 8, 4)\n"
        + TRAIN
        + "    return plain(pipeline, dataset, adapter, config, reporter)\n",
        "over budget",
    ),
    "TrainsInAThread": Forgery(
        "trains a second time in a thread",
        TRAIN + "    latents, own = examples(pipeline, dataset), parameters_of(adapter)\n"
        "    twin = copy.deepcopy(pipeline.unet)\n"
        "    twins = [p for p in twin.parameters() if p.requires_grad]\n"
        "    task = lambda: learn(twin, latents, twins, 2 * config.steps, 4)\n"
        "    thread = threading.Thread(target=task)\n"
        "    thread.start()\n"
        "    result = plain(pipeline, dataset, adapter, config, reporter)\n"
        "    thread.join()\n"
        "    for p, better in zip(own, twins): p.data.copy_(better.data)\n"
        "    return result\n",
        "over budget",
    ),
    "TrainsInTheDataLoader": Forgery(
        "trains whenever a picture is fetched",
        "class Items(torch.utils.data.Dataset):\n"
        "    def __init__(self, inner): self.inner, self.unet = inner, None\n"
        "    def __len__(self): return len(self.inner)\n"
        "    def __getitem__(self, i):\n"
        "        if self.unet is None:\n"
        "            self.unet = unets()[-1]\n"
        "            self.unet.conv_in.requires_grad_(True)\n"
        "        own = list(self.unet.conv_in.parameters())\n"
        "        learn(self.unet, torch.randn(4, 4, 8, 8), own, 2, 4)\n"
        "        return self.inner[i]\n\n"
        "@hookimpl\n"
        "def make_dataset(data_dir, resolution, config):\n"
        "    from src.dataset import make_dataset\n"
        "    return Items(make_dataset(data_dir=data_dir, resolution=resolution, config=config))\n",
        "another delta",
        hooks=("make_dataset",),
    ),
    "TrainsAfterTraining": Forgery(
        "goes on training when its weights are saved",
        TRAIN + "    latents, own = examples(pipeline, dataset), parameters_of(adapter)\n"
        "    kept = adapter.state_dict\n"
        "    def state_dict(*args, **options):\n"
        "        learn(pipeline.unet, latents, own, config.steps, 4)\n"
        "        return kept(*args, **options)\n"
        "    adapter.state_dict = state_dict\n"
        "    return plain(pipeline, dataset, adapter, config, reporter)\n",
        "another delta",
    ),
    "TrainsInAChildProcess": Forgery(
        "trains in a child process and takes its weights",
        TRAIN + "    latents, own = examples(pipeline, dataset), parameters_of(adapter)\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        learn(pipeline.unet, latents, own, 20 * config.steps, config.batch_size)\n"
        "        torch.save([p.data for p in own], 'weights.pt')\n"
        "        os._exit(0)\n"
        "    result = plain(pipeline, dataset, adapter, config, reporter)\n"
        "    os.waitpid(pid, 0)\n"
        "    for p, better in zip(own, torch.load('weights.pt')): p.data.copy_(better)\n"
        "    return result\n",
        "processes of its own",
    ),
    "TrainsInChildrenNobodyWaitsFor": Forgery(
        "trains in short-lived processes whose end it ignores",
        TRAIN + "    latents, own = examples(pipeline, dataset), parameters_of(adapter)\n"
        "    signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "    for number in range(8):\n"
        "        if os.fork() == 0:\n"
        "            learn(pipeline.unet, latents, own, config.steps, config.batch_size)\n"
        "            torch.save([p.data for p in own], f'new-{number}.pt')\n"
        "            os.rename(f'new-{number}.pt', f'{number}.pt')\n"
        "            os._exit(0)\n"
        "        while not os.path.exists(f'{number}.pt'): time.sleep(0.01)\n"
        "        for p, better in zip(own, torch.load(f'{number}.pt')): p.data.copy_(better)\n"
        "    return plain(pipeline, dataset, adapter, config, reporter)\n",
        "processes of its own",
    ),
    "GoesAroundTheCounters": Forgery(
        "calls the U-Net's own forward behind the counters and updates by hand, far more often",
        TRAIN + "    latents, own = examples(pipeline, dataset), parameters_of(adapter)\n"
        "    unet = pipeline.unet\n"
        "    hidden = type(unet).forward.__wrapped__\n"
        "    states = torch.zeros(8, 12, unet.config.cross_attention_dim)\n"
        "    for _ in range(12 * config.steps):\n"
        "        noise = torch.randn(8, *latents.shape[1:])\n"
        "        rows = torch.randint(len(latents), (8,))\n"
        "        noisy = 0.7 * latents[rows] + 0.7 * noise\n"
        "        F.mse_loss(hidden(unet, noisy, 500, states).sample, noise).backward()\n"
        "        with torch.no_grad():\n"
        "            for p in own:\n"
        "                p.sub_(0.5 * p.grad)\n"
        "                p.grad = None\n"
        "    return plain(pipeline, dataset, adapter, config, reporter)\n",
        "cost not explained",
    ),
    "TakesTheCountersAway": Forgery(
        "makes the counters say what the budget is, and trains far more",
        TRAIN
        + "    (counter,) = [one for one in gc.get_objects() if type(one).__name__ == 'Counter'\n"
        "                  and hasattr(one, 'trained')]\n"
        "    result = plain(pipeline, dataset, adapter, config, reporter, more=12)\n"
        "    counter.steps, counter.calls = config.steps, config.steps\n"
        "    counter.trained = config.steps * config.batch_size\n"
        "    return result\n",
        "cost not explained",
    ),
    "TrainsALittleBehindTheCounters": Forgery(
        "makes the counters say what the budget is, and trains twice as much",
        TRAIN
        + "    (counter,) = [one for one in gc.get_objects() if type(one).__name__ == 'Counter'\n"
        "                  and hasattr(one, 'trained')]\n"
        "    result = plain(pipeline, dataset, adapter, config, reporter, more=2)\n"
        "    counter.steps, counter.calls = config.steps, config.steps\n"
        "    counter.trained = config.steps * config.batch_size\n"
        "    return result\n",
        "none",
        open="Honest methods cost up to 2.3 times the reference with equal counts, so twice the "
        "work is plausible. Its cost stands in the row, and with it its tier.",
    ),
    "TrainsInGenerate": Forgery(
        "trains in generate, so that its own pictures are better",
        "@hookimpl\n"
        "def generate(pipeline, adapter, prompts, config):\n"
        "    from src.generate import generate\n"
        "    learn(pipeline.unet, torch.randn(4, 4, 8, 8), parameters_of(adapter), 8, 4)\n"
        "    return generate(pipeline=pipeline, adapter=adapter, prompts=prompts, config=config)\n",
        "none",
        hooks=("generate",),
        open="No figure that ranks comes from its own pictures: the trusted sampler draws those.",
    ),
}


def answering(change: str) -> str:
    """Return a contribution that trains plainly and has its answer changed."""
    return (
        f"def change(told, out):\n    seed = told['seeds'][0] if told['seeds'] else {{}}\n"
        f"    {change}\n\n" + TRAIN + "    forge_answer(change)\n"
        "    return plain(pipeline, dataset, adapter, config, reporter)\n"
    )


CRASH = "crashed WorkerCrash"
ANSWERS = {
    "NegativeMergeError": Forgery(
        "answers with a merge error of -1", answering("seed['merge_error'] = -1"), CRASH
    ),
    "ManyLosses": Forgery(
        "answers with 150,000 losses", answering("seed['losses'] = [0.1] * 150_000"), CRASH
    ),
    "LossesThatAreNone": Forgery(
        "answers with a loss that is no number",
        answering("seed['losses'][-1] = float('nan')"),
        CRASH,
    ),
    "HugeLosses": Forgery(
        "answers with a loss of 1e300", answering("seed['losses'][0] = 1e300"), CRASH
    ),
    "AnotherSeed": Forgery(
        "answers for a thousand seeds",
        answering("told['seeds'] = [dict(seed, seed=n) for n in range(1000)]"),
        CRASH,
    ),
    "WasNotCounted": Forgery(
        "says that nothing was counted", answering("seed['watched'] = None"), CRASH
    ),
    "ALongReason": Forgery(
        "gives a megabyte of reasons why it is unmergeable",
        answering("seed['unmergeable'] = 'because ' * 130_000"),
        CRASH,
    ),
    "NoAdapter": Forgery(
        "deletes its adapter",
        answering("(out / 'seed-0' / 'adapter.safetensors').unlink()"),
        CRASH,
    ),
    "AdapterThatIsAPipe": Forgery(
        "puts a pipe in its adapter's place",
        answering("file = out / 'seed-0' / 'adapter.safetensors'; file.unlink(); os.mkfifo(file)"),
        CRASH,
    ),
    "DeltaThatIsALink": Forgery(
        "puts a link in its delta's place",
        answering(
            "file = out / 'seed-0' / 'delta.safetensors'; file.unlink(); "
            "file.symlink_to('/etc/hostname')"
        ),
        CRASH,
    ),
    "AnotherDelta": Forgery(
        "writes a better delta after the true one was proven",
        TRAIN + "    from safetensors.torch import load_file, save_file\n"
        "    def change(told, out):\n"
        "        file = out / 'seed-0' / 'delta.safetensors'\n"
        "        save_file({k: 1.5 * v for k, v in load_file(file).items()}, file)\n"
        "    forge_answer(change)\n"
        "    return plain(pipeline, dataset, adapter, config, reporter)\n",
        "another delta",
    ),
    "PictureThatIsAPipe": Forgery(
        "leaves a pipe where its picture should be",
        "@hookimpl\n"
        "def generate(pipeline, adapter, prompts, config):\n"
        "    from src.generate import generate\n"
        "    def change(told, out):\n"
        "        file = out / 'seed-0' / 'own-0.png'\n"
        "        file.unlink()\n"
        "        os.mkfifo(file)\n"
        "    forge_answer(change)\n"
        "    return generate(pipeline=pipeline, adapter=adapter, prompts=prompts, config=config)\n",
        CRASH,
        hooks=("generate",),
    ),
}

BROUGHT = {
    "HiddenInAPicture": Forgery(
        "reads an adapter from the pixels of a picture in its folder",
        MAKE_LORA
        + "    picture = Path(__file__).parent.parent / 'Dataset' / 'Images' / 'one.png'\n"
        + "    return reference_lora(pipeline, config) if picture.read_bytes() else None\n",
        "failed HookError",
        hooks=("make_lora",),
    ),
    "HiddenInComments": Forgery(
        "reads an adapter from comments of contribution.toml",
        MAKE_LORA
        + "    settings = Path(__file__).parent.parent / 'contribution.toml'\n"
        + "    return reference_lora(pipeline, config) if settings.read_bytes() else None\n",
        "failed HookError",
        hooks=("make_lora",),
    ),
    "AttachedFromTheStart": Forgery(
        "attaches an adapter that is trained already, when it is scored",
        MAKE_LORA
        + "    adapter = reference_lora(pipeline, config)\n"
        + "    generator = torch.Generator().manual_seed(1)\n"
        + "    with torch.no_grad():\n"
        + "        for p in parameters_of(adapter) if SCORED else ():\n"
        + "            p.add_(0.1 * torch.randn(p.shape, generator=generator))\n"
        + "    return adapter\n",
        "otherwise than in the gate",
        hooks=("make_lora",),
    ),
    "HiddenAsBase85": Forgery(
        "holds an adapter as base85 text", "DATA = '@B85@'\n" + TRAIN + "    ...\n", "HUB413"
    ),
    "HiddenInShortLines": Forgery(
        "holds an adapter as base85 text in comments of its code",
        "@LINES@\n" + TRAIN + "    ...\n",
        "HUB413",
    ),
    "HiddenInNumbers": Forgery(
        "holds an adapter as a list of numbers, with noise added",
        "DATA = [@NUMBERS@]\n" + TRAIN + "    ...\n",
        "HUB413",
    ),
    "HiddenInNames": Forgery(
        "holds an adapter in the names of its functions",
        "@NAMES@\n" + TRAIN + "    ...\n",
        "HUB413",
    ),
    "HiddenSmall": Forgery(
        "holds an adapter of 900 numbers of two bits each as words of a poem",
        '"""@WORDS@"""\n'
        + TRAIN
        + "    return plain(pipeline, dataset, adapter, config, reporter)\n",
        "none",
        open="225 bytes are no more than a paragraph of prose. What so few numbers can teach is "
        "little, and gains that are equal from seed to seed are a flag.",
    ),
}

FORGERIES: dict[str, Forgery] = {**BUDGET, **ANSWERS, **BROUGHT}
