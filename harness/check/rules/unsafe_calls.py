"""Calls that run code without review, or escape the limits. HUB241 to HUB246."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, rule


def keyword_constant(call: ast.Call, name: str) -> object:
    """Return the literal value of a keyword argument, or None when there is none."""
    for keyword in call.keywords:
        if keyword.arg == name and isinstance(keyword.value, ast.Constant):
            return keyword.value.value
    return None


_BUILTINS = frozenset({"eval", "exec", "compile", "__import__"})


@rule("HUB241", "Text is run as code")
def eval_exec(folder: Folder) -> Iterator[Problem]:
    """Code made from text cannot be reviewed."""
    # Look for the built-ins; `model.eval()` and a function of one's own are something else.
    for module, name, call in folder.calls:
        builtin = name.removeprefix("builtins.")
        if builtin in _BUILTINS and builtin not in module.bindings:
            yield Problem(
                f"{builtin}() runs text as code, which no reviewer can follow.",
                "Write the code itself; for literals use ast.literal_eval, for modules import.",
                *module.at(call),
            )


_PICKLE_LIBRARIES = ("pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "jsonpickle")
_UNPICKLING = frozenset(
    {
        f"{library}.{name}"
        for library in _PICKLE_LIBRARIES
        for name in ("load", "loads", "Unpickler")
    }
    | {"shelve.open", "pandas.read_pickle", "jsonpickle.decode"}
)


@rule("HUB242", "A pickle is loaded")
def pickle(folder: Folder) -> Iterator[Problem]:
    """Loading a pickle runs whatever its author wanted."""
    # Look for the loading functions; writing a pickle is harmless.
    for module, name, call in folder.calls:
        if name in _UNPICKLING:
            yield Problem(
                f"{name}() can run any code that is hidden in the file.",
                "Use safetensors for tensors, and JSON or TOML for the rest.",
                *module.at(call),
            )


@rule("HUB243", "torch.load without weights_only=True")
def torch_load(folder: Folder) -> Iterator[Problem]:
    """torch.load reads pickles unless it is told not to."""
    # Ask for the literal `weights_only=True`; the default depends on torch's version.
    for module, name, call in folder.calls:
        if name == "torch.load" and keyword_constant(call, "weights_only") is not True:
            yield Problem(
                "torch.load() without weights_only=True can run code hidden in the file.",
                "Use safetensors.torch.load_file, or add weights_only=True.",
                *module.at(call),
            )


@rule("HUB244", "allow_pickle=True")
def allow_pickle(folder: Folder) -> Iterator[Problem]:
    """allow_pickle=True turns an array file into a program."""
    # Look at every call: numpy's loader has many names.
    for module, _, call in folder.calls:
        if keyword_constant(call, "allow_pickle") is True:
            yield Problem(
                "allow_pickle=True can run code hidden in the file.",
                "Leave it out; store tensors as safetensors.",
                *module.at(call),
            )


@rule("HUB245", "trust_remote_code=True")
def trust_remote_code(folder: Folder) -> Iterator[Problem]:
    """trust_remote_code=True runs code that no reviewer has seen."""
    for module, _, call in folder.calls:
        if keyword_constant(call, "trust_remote_code") is True:
            yield Problem(
                "trust_remote_code=True downloads and runs code that can change any day.",
                "Leave it out, and put the code that you need into your folder.",
                *module.at(call),
            )


_STARTERS = frozenset(
    {"os.system", "os.popen", "os.fork", "os.forkpty", "os.startfile", "pty.spawn"}
)
_STARTER_PREFIXES = (
    "subprocess.",
    "os.spawn",
    "os.exec",
    "os.posix_spawn",
    "asyncio.create_subprocess",
)
_HARMLESS = frozenset({"subprocess.list2cmdline", "subprocess.CalledProcessError"})


# An error and no hint: time and memory are compared between contributions, and what a child
# process uses is not counted. DataLoader workers start their own processes and are not meant.
@rule("HUB246", "Another program is started")
def other_process(folder: Folder) -> Iterator[Problem]:
    """Other processes escape the clock, the memory limit and the reviewer."""
    for module, name, call in folder.calls:
        if name in _STARTERS or (name.startswith(_STARTER_PREFIXES) and name not in _HARMLESS):
            yield Problem(
                f"{name}() starts another program; its time and memory escape the comparison.",
                "Do the work in Python, in this process.",
                *module.at(call),
            )
