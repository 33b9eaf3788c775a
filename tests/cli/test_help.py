from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cronq.cli.commands import NAMES, cli


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
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
    words = help_text.partition("Usage: cli ")[2].partition(" [")[0]
    example = help_text.partition("Example: ")[2].partition("\n\n")[0]
    assert f"cronq {words.split()[0]}" in example


def test_every_command_takes_config(help_text: str) -> None:
    assert "--config FILE" in help_text


DATA = [
    "check",
    "status",
    *(f"{name} {word}" for name in ("queues", "messages", "failed") for word in ("list", "show")),
    "schedule list",
]


@pytest.mark.parametrize("words", [text.split() for text in DATA], ids=" ".join)
def test_commands_that_print_data_take_json(words: list[str]) -> None:
    assert "--json" in CliRunner().invoke(cli, [*words, "--help"]).output


def test_the_help_lists_every_command_with_a_whole_sentence() -> None:
    text = CliRunner().invoke(cli, ["--help"]).output
    assert [name for name in NAMES if f"\n  {name} " not in text] == []
    assert "..." not in text.partition("Set up:")[2]
