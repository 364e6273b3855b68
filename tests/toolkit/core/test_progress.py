"""Progress: bars on a terminal, a line now and then elsewhere."""

import io

from rich.console import Console

from toolkit.core.progress import BarProgress, PlainProgress, create_progress


def console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=120)


def test_the_form_follows_where_the_output_goes():
    assert isinstance(create_progress(console(True)), BarProgress)
    assert isinstance(create_progress(console(False)), PlainProgress)


def test_plain_progress_prints_seldom_and_says_how_it_ended():
    out = console(False)
    with create_progress(out) as progress:
        for percent in range(101):
            progress.update("Foo", percent / 100, f"step {percent}")
        progress.finish("Foo", ok=True)
        progress.update("Bar", 0.1, "step 1")
        progress.finish("Bar", ok=False)
    lines = out.file.getvalue().splitlines()
    assert [line.split(" (")[0] for line in lines[:5]] == [
        f"Foo: step {percent}" for percent in (0, 25, 50, 75, 100)
    ]
    assert "left" in lines[2]
    assert lines[5].startswith("Foo: done after")
    assert lines[7].startswith("Bar: failed after")


def test_bars_show_labels_shares_and_time_left():
    out = console(True)
    with create_progress(out) as progress:
        progress.update("Foo", 0.0, "loading")
        progress.update("Foo", 0.5, "step 5/10")
        progress.finish("Foo", ok=True)
        progress.finish("Nobody", ok=True)
    text = out.file.getvalue()
    assert "Foo" in text
    assert "100%" in text
    assert "done" in text


def test_a_failed_bar_stays_where_it_was():
    out = console(True)
    with create_progress(out) as progress:
        progress.update("Foo", 0.5, "step 5/10")
        progress.finish("Foo", ok=False)
    assert "failed" in out.file.getvalue()
    assert "100%" not in out.file.getvalue()


def test_what_a_strangers_process_says_is_never_markup():
    for terminal in (True, False):
        out = console(terminal)
        with create_progress(out) as progress:
            progress.update("Foo", 0.5, "[bold red]boo[/bold red] [/]")
        assert "[bold red]boo[/bold red] [/]" in out.file.getvalue()
