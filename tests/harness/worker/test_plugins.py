"""The plugin rules, each with a contribution that breaks it."""

import sys
from pathlib import Path

import pytest

from harness.contributions.registry import load_reference
from harness.errors import HookError, HookResultError, PluginError
from harness.worker.hooks import load_hooks, load_manager
from tests.harness.support import write_contribution

LORA = """
    from harness import hookimpl

    @hookimpl
    def make_lora(pipeline, config):
        return ("adapter of", __name__)
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    def build(files, hooks=("make_lora",), name="Foo", package=None):
        if isinstance(files, str):
            files = {"main.py": files}
        return write_contribution(tmp_path, monkeypatch, files, hooks, name, package)

    return build


def only(contribution):
    """Load a contribution that declares all it needs for these tests."""
    manager = load_manager(contribution)
    return manager.hook


def test_a_good_contribution_loads_and_its_hook_is_called(write):
    hook = only(write(LORA))
    assert hook.make_lora(pipeline=None, config=None)[0] == "adapter of"


def test_a_hook_may_take_fewer_parameters(write):
    hook = only(write(LORA.replace("pipeline, config", "config")))
    assert hook.make_lora(pipeline=None, config=None)


def test_a_fault_of_its_own_is_told_before_the_reference_imports_torch(write, monkeypatch):
    reference = write("raise AssertionError('woken')", name="Reference")
    monkeypatch.setattr("harness.worker.hooks.is_reference", lambda one: one is reference)
    with pytest.raises(PluginError, match="Foo cannot be imported"):
        load_hooks(write("1 / 0"), reference)
    with pytest.raises(PluginError, match="Reference cannot be imported"):
        load_hooks(write(LORA), reference)


def test_hooks_that_are_not_declared_come_from_the_reference_by_declaration(write, monkeypatch):
    contribution = write(LORA)
    reference = write(
        LORA + LORA.replace("make_lora(pipeline, config)", "train(config)"),
        hooks=("make_lora", "train"),
        name="Reference",
    )
    monkeypatch.setattr("harness.worker.hooks.HOOK_NAMES", ("make_lora", "train"))
    hooks = load_hooks(contribution, reference)
    assert hooks.origins["make_lora"].name == "Foo"
    assert hooks.origins["train"].name == "Reference"
    rest = dict.fromkeys(("pipeline", "dataset", "adapter", "config", "reporter"))
    assert ".Reference." in hooks.call("train", **rest)[1]


@pytest.mark.parametrize("order", [("One", "Two"), ("Two", "One")])
def test_two_contributions_with_equal_file_names_each_use_their_own_code(write, order):
    contributions = {
        name: write(
            {
                "main.py": "from .lora import make_lora\n",
                "lora.py": f"from .utils import NAME\n{_hook('NAME')}",
                "utils.py": f"NAME = {name!r}\n",
            },
            name=name,
            package=f"hub_test_{'_'.join(order)}",
        )
        for name in order
    }
    hooks = {name: only(contributions[name]) for name in order}
    for name in order:
        assert hooks[name].make_lora(pipeline=None, config=None) == name


def _hook(value):
    return f"from harness import hookimpl\n@hookimpl\ndef make_lora(config):\n    return {value}\n"


def test_a_misspelt_hook_is_reported(write):
    with pytest.raises(PluginError, match="make_lroa"):
        load_manager(write(LORA.replace("make_lora", "make_lroa")))


def test_an_unknown_parameter_is_reported(write):
    with pytest.raises(PluginError, match="rank") as caught:
        load_manager(write(LORA.replace("config", "rank")))
    assert "hookspecs.py" in str(caught.value)


def test_a_forgotten_hookimpl_is_reported_and_never_replaced(write):
    with pytest.raises(PluginError, match=r"declares the hooks \['make_lora'\] but .* \[\]"):
        load_manager(write(LORA.replace("@hookimpl", "")))


def test_a_hook_that_is_not_declared_is_reported(write):
    with pytest.raises(PluginError, match="declares the hooks"):
        load_manager(write(LORA, hooks=("make_lora", "train")))


@pytest.mark.parametrize(
    "option", ["tryfirst=True", "trylast=True", "wrapper=True", "optionalhook=True"]
)
def test_hook_options_are_refused(write, option):
    source = LORA.replace("@hookimpl", f"@hookimpl({option})")
    with pytest.raises(PluginError, match=option.partition("=")[0]):
        load_manager(write(source))


@pytest.mark.parametrize("parameters", ["config, pipeline=None", "config, *, pipeline", "**rest"])
def test_parameters_that_pluggy_fills_differently_are_refused(write, parameters):
    with pytest.raises(PluginError, match="has the parameter"):
        load_manager(write(LORA.replace("pipeline, config", parameters)))


def test_an_import_error_names_the_file_and_line(write):
    files = {"main.py": "from .lora import make_lora\n", "lora.py": "\nimport no_such_module_x\n"}
    with pytest.raises(PluginError, match="no_such_module_x") as caught:
        load_manager(write(files))
    assert "Foo/src/lora.py:2" in (caught.value.where or "")


def test_an_error_in_a_hook_names_the_hook_the_file_and_the_line(write):
    source = LORA.replace("return (", "1 / 0\n        return (")
    contribution = write(source)
    hooks = load_hooks_of_one(contribution)
    with pytest.raises(
        HookError, match="Foo's hook 'make_lora' raised ZeroDivisionError"
    ) as caught:
        hooks.call("make_lora", pipeline=None, config=None)
    assert "Foo/src/main.py:6 in make_lora" in (caught.value.where or "")


def test_own_code_at_fault_inside_the_references_hook_is_what_is_blamed(write, monkeypatch):
    own = write(
        """
        from harness import hookimpl

        def forward(x):
            return x.no_such_attribute

        @hookimpl
        def make_lora(config):
            return forward
        """
    )
    calls_it = LORA.replace("make_lora(pipeline, config)", "train(adapter)").replace(
        'return ("adapter of", __name__)', "return adapter(1)"
    )
    reference = write(LORA + calls_it, hooks=("make_lora", "train"), name="Reference")
    monkeypatch.setattr("harness.worker.hooks.HOOK_NAMES", ("make_lora", "train"))
    hooks = load_hooks(own, reference)
    adapter = hooks.call("make_lora", pipeline=None, config=None)
    with pytest.raises(HookError, match="Foo's code, called by Reference's hook 'train'") as e:
        rest = dict.fromkeys(("pipeline", "dataset", "config", "reporter"))
        hooks.call("train", adapter=adapter, **rest)
    assert "Foo/src/main.py:5 in forward" in (e.value.where or "")


def test_a_hook_that_returns_none_is_refused(write):
    hooks = load_hooks_of_one(write(LORA.replace('return ("adapter of", __name__)', "pass")))
    with pytest.raises(HookResultError, match="returned None"):
        hooks.call("make_lora", pipeline=None, config=None)


def load_hooks_of_one(contribution):
    from harness.worker.hooks import Hooks

    return Hooks(
        contribution, {"make_lora": load_manager(contribution)}, {"make_lora": contribution}
    )


def test_the_reference_is_no_fallback_for_a_contribution_that_declares_a_hook(write):
    # Were `src` registered in the same manager, this contribution would get the reference's score.
    contribution = write("", hooks=("make_lora",))
    with pytest.raises(PluginError):
        load_hooks(contribution, load_reference())


def test_loading_plugins_imports_no_torch():
    code = "import harness, harness.worker.hooks, sys; sys.exit('torch' in sys.modules)"
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path.cwd()).returncode == 0
