"""The limits of a consumer as options of a command: one for each in the table of all limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cronq.config import kinds
from cronq.config.limit_keys import LIMITS
from cronq.config.variables import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.config.limit_keys import LimitKey

    Command = Callable[..., object]


def limit_options(command: Command) -> Command:
    """Give a command the options; its arguments are called as the settings are, None where one is not given."""
    for limit in reversed(LIMITS):
        if limit.option is not None:
            command = click.option(limit.option, limit.name, type=_reader(limit), help=limit.help)(command)
    return command


def _reader(limit: LimitKey) -> Callable[[object], object]:
    """Return what reads the option: as the key in cronq.toml, without the word for none, for which it is left out."""
    kind = limit.kind(kinds)

    def read(text: object) -> object:
        try:
            return kind.accept(parse(str(text), kind))
        except ValueError:
            raise click.BadParameter(f"{text} {kind.must_be()}") from None

    read.__name__ = limit.key  # how the help calls a value
    return read
