"""What a command answers: lines for a person, data for a program that asked with `--json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from cronq.cli.text import print_lines
from cronq.namedtuple import NamedTuple

F = TypeVar("F", bound=Callable[..., object])


class Answer(NamedTuple):
    """Each form is made when it is asked for. In the lines, what others wrote is escaped."""

    lines: Callable[[], Iterable[str]]
    data: Callable[[], object]


Tell = Callable[[Answer], None]


def in_words(answer: Answer) -> None:
    print_lines(answer.lines())


def in_json(answer: Answer) -> None:
    text = json.dumps(answer.data(), indent=2, default=str)
    click.echo(text.replace("\x7f", "\\u007f"))  # the one control character that JSON lets pass


def json_option(function: F) -> F:
    """Add `--json` to a command, which receives as `tell` what prints its answer in the form that was asked for."""

    def form(context: click.Context, parameter: click.Parameter, as_json: bool) -> Tell:
        return in_json if as_json else in_words

    return click.option("--json", "tell", is_flag=True, callback=form, help="Print JSON for programs.")(function)
