from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cronq.cli.commands import NAMES, cli


def _commands() -> list[tuple[str, ...]]:
    found = []
    for name in NAMES:
        command = cli.get_command(click.Context(cli), name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, inner) for inner in command.commands]
    return found


@pytest.fixture(params=_commands(), ids=" ".join)
def help_text(request: pytest.FixtureRequest) -> str:
    done = CliRunner().invoke(cli, [*request.param, "--help"])
    assert done.exit_code == 0
    return done.output


def test_every_command_has_help_with_an_example_of_itself(help_text: str) -> None:
    usage = help_text.split("\n")[0]
    words = " ".join(usage.removeprefix("Usage: cli ").split(" [")[0].split()[:1])
    example = help_text.partition("Example: ")[2]
    assert "cronq" in example.split("\n\n")[0]
    assert words in example.split("\n\n")[0]


def test_every_command_takes_config(help_text: str) -> None:
    assert "--config FILE" in help_text


@pytest.mark.parametrize("words", [["check"], ["status"], ["queues", "list"], ["queues", "show"]], ids=" ".join)
def test_commands_that_print_data_take_json(words: list[str]) -> None:
    assert "--json" in CliRunner().invoke(cli, [*words, "--help"]).output


def test_the_help_lists_every_command_with_a_whole_sentence() -> None:
    text = CliRunner().invoke(cli, ["--help"]).output
    assert [name for name in NAMES if f"\n  {name} " not in text] == []
    assert "..." not in text.partition("Set up:")[2]
