"""A new command is one new file and one line of registration."""

from __future__ import annotations

import sys
from types import ModuleType

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from cronq.cli import commands
from cronq.cli.common import configured


@pytest.fixture
def greeting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file `cmd_greet.py`, and its name in a chapter."""

    @configured("greet")
    def command(context: click.Context) -> int:
        """Greet whoever asks."""
        click.echo(f"hello from {context.obj}")
        return 1

    module = ModuleType("cronq.cli.cmd_greet")
    vars(module)["command"] = command
    monkeypatch.setitem(sys.modules, "cronq.cli.cmd_greet", module)
    monkeypatch.setitem(commands.CHAPTERS, "Set up", ("init", "greet"))
    monkeypatch.setattr(commands, "NAMES", (*commands.NAMES, "greet"))  # made of the chapters at import


@pytest.mark.usefixtures("greeting")
def test_it_runs_with_the_configuration_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(["greet", "--config", "shop.toml"]) == 1
    assert capsys.readouterr().out == "hello from shop.toml\n"


@pytest.mark.usefixtures("greeting")
def test_the_help_has_it_in_its_chapter() -> None:
    text = CliRunner().invoke(commands.cli, ["--help"]).output
    chapter = text.partition("Set up:\n")[2].partition("\n\n")[0]
    assert chapter.splitlines()[-1].split(maxsplit=1) == ["greet", "Greet whoever asks."]


@pytest.mark.usefixtures("greeting")
def test_the_shell_completes_it_and_its_options() -> None:
    shell = ShellComplete(commands.cli, {}, "cronq", "_CRONQ_COMPLETE")
    assert [(one.value, one.help) for one in shell.get_completions([], "gr")] == [("greet", "Greet whoever asks.")]
    assert [one.value for one in shell.get_completions(["greet"], "--c")] == ["--config"]


@pytest.mark.usefixtures("greeting")
def test_a_slip_of_the_pen_is_told_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(["gret"]) == 2
    assert "did you mean greet?" in capsys.readouterr().err
